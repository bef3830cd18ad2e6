#include "limits.hpp"

namespace graph_simulator {

Limits::Ticket Limits::admit(std::uint32_t mailbox, std::int64_t now_us, const Settings& settings) {
    Mailbox& state = mailboxes_[mailbox];
    Ticket ticket;
    if (settings.limits) {
        const auto limit = static_cast<std::size_t>(settings.window_requests);
        if (state.times.size() > limit) {  // the limit was lowered
            state.times.clear();
            state.next = 0;
        }
        if (state.times.size() == limit) {
            const std::int64_t age = now_us - state.times[state.next];
            if (age < settings.window_ms * 1000) {
                ticket.admission = Admission::Window;
                ticket.retry_ms = settings.window_ms - age / 1000;
            }
            // A refused request counts like any other.
            state.times[state.next] = now_us;
            state.next = (state.next + 1) % limit;
        } else {
            if (state.next != 0) {  // the limit was raised: put the oldest first again
                std::vector<std::int64_t> ordered(
                    state.times.begin() + static_cast<std::ptrdiff_t>(state.next),
                    state.times.end());
                ordered.insert(ordered.end(), state.times.begin(),
                               state.times.begin() + static_cast<std::ptrdiff_t>(state.next));
                state.times = std::move(ordered);
                state.next = 0;
            }
            state.times.push_back(now_us);
        }
        if (ticket.admission == Admission::Granted && state.in_flight >= settings.max_concurrent) {
            ticket.admission = Admission::Concurrency;
        }
    }
    if (ticket.admission == Admission::Granted && settings.limits &&
        settings.app_max_concurrent > 0 && in_flight_ >= settings.app_max_concurrent) {
        ticket.admission = Admission::Application;
    }
    ticket.in_flight = state.in_flight + 1;
    if (ticket.admission == Admission::Granted) {
        ++state.in_flight;
        ++in_flight_;
    }
    return ticket;
}

void Limits::release(std::uint32_t mailbox) {
    Mailbox& state = mailboxes_[mailbox];
    if (state.in_flight > 0) {
        --state.in_flight;
        --in_flight_;
    }
}

void Limits::forget() {
    for (auto& [number, state] : mailboxes_) {
        state.times.clear();
        state.next = 0;
    }
}

}  // namespace graph_simulator

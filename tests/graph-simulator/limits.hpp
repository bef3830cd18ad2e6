// Outlook's limits for one app and mailbox: requests at a time, and requests in a sliding window.
// And one for the app over all mailboxes, which an older revision of the documentation has.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "settings.hpp"

namespace graph_simulator {

enum class Admission { Granted, Concurrency, Window, Application };

class Limits {
public:
    struct Ticket {
        Admission admission = Admission::Granted;
        std::int64_t in_flight = 0;  // this request included
        std::int64_t retry_ms = 0;   // until the window has room
    };

    Ticket admit(std::uint32_t mailbox, std::int64_t now_us, const Settings& settings);
    void release(std::uint32_t mailbox);
    void forget();  // empties the windows

private:
    struct Mailbox {
        std::int64_t in_flight = 0;
        // The times of the last requests; as long as the limit, so the oldest one decides.
        std::vector<std::int64_t> times;
        std::size_t next = 0;
    };

    std::unordered_map<std::uint32_t, Mailbox> mailboxes_;
    std::int64_t in_flight_ = 0;  // of all mailboxes
};

}  // namespace graph_simulator

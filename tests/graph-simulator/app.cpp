#include "app.hpp"

#include <algorithm>

#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::string_view kVersion = "/v1.0";
constexpr std::size_t kBatchAtOnce = 4;
constexpr std::string_view kDiagnostics =
    R"({"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"5",)"
    R"("ScaleUnit":"001","RoleInstance":"SIM0"}})";

void add_common_headers(Reply& reply, const Call& call) {
    reply.headers.set("request-id", call.request_id);
    if (const std::string* own = call.request.headers.find("client-request-id")) {
        reply.headers.set("client-request-id", *own);
    }
    reply.headers.set("x-ms-ags-diagnostic", std::string(kDiagnostics));
}

}  // namespace

struct App::Flight {
    Call call;
    Responder respond;
    LogRecord record;
    std::int64_t started = 0;
    std::optional<std::uint32_t> slot;  // held at this mailbox
    FaultPlan::Hit fault;
    bool inner = false;
};

struct App::Batch {
    FlightPtr outer;
    std::vector<BatchItem> items;
    std::vector<int> states;  // 0 waiting, 1 running, otherwise the status
    json::array responses;
    std::size_t running = 0;
    bool sequential = false;
};

App::App(World& world, Scheduler& scheduler)
    : world_(world), scheduler_(scheduler), subscriptions_(world, scheduler) {
    world_.subscriptions = &subscriptions_;
    world_.tenant.observe([this](const User& user, const Message& message, ChangeKind kind) {
        subscriptions_.changed(user, message, kind);
    });
}

void App::handle(Request&& request, Responder respond) {
    const auto mark = request.target.find('?');
    const std::string path = request.target.substr(0, mark);
    const std::string query = mark == std::string::npos ? "" : request.target.substr(mark + 1);
    if (is_control_path(path)) {
        respond(control(world_, request, path, query, [this] { scheduler_.stop(); }));
    } else if (path == kVersion || path.starts_with(std::string(kVersion) + "/")) {
        start(std::move(request), std::move(respond), nullptr);
    } else {
        handle_token(std::move(request), std::move(respond), path, query);
    }
}

void App::handle_token(Request&& request, Responder respond, std::string path, std::string query) {
    auto flight = std::make_shared<Flight>();
    flight->started = steady_microseconds();
    flight->respond = std::move(respond);
    flight->record.time_ms = now_milliseconds();
    flight->record.method = request.method;
    flight->record.path = path;
    flight->record.route = token_route_name(path);
    flight->call.request_id = fresh_guid();
    flight->call.request = std::move(request);
    flight->call.path = std::move(path);
    flight->call.query_text = std::move(query);
    flight->fault = world_.faults.match({flight->record.route, {}, {}, {}, flight->call.path});
    take_off(flight);
}

void App::start(Request&& request, Responder respond, const std::vector<std::string>* roles) {
    auto flight = std::make_shared<Flight>();
    Call& call = flight->call;
    flight->started = steady_microseconds();
    flight->respond = std::move(respond);
    flight->inner = roles != nullptr;
    const std::string_view rest = std::string_view(request.target).substr(kVersion.size());
    const auto mark = rest.find('?');
    call.path = rest.substr(0, mark);
    if (mark != std::string_view::npos)
        call.query_text = rest.substr(mark + 1);
    call.request = std::move(request);
    call.request_id = fresh_guid();
    call.route = parse_route(call.path);
    if (!call.route.user.empty())
        call.user = world_.tenant.find_user(call.route.user);
    LogRecord& record = flight->record;
    record.time_ms = now_milliseconds();
    record.method = call.request.method;
    record.route = call.route.name();
    record.path = call.request.target;
    record.batch = flight->inner;
    if (call.user != nullptr)
        record.user = call.user->upn;

    try {
        if (flight->inner)
            call.roles = *roles;
        else
            authorise(call);
        call.query = Query::parse(call.query_text);
        call.preferences = parse_preferences(call.request.headers);
    } catch (const GraphError& error) {
        return finish(flight, error_reply(*flight, error));
    }
    if (call.route.in_mailbox() && call.user != nullptr) {
        const Limits::Ticket ticket =
            world_.limits.admit(call.user->number, flight->started, world_.settings);
        record.in_flight = ticket.in_flight;
        if (ticket.admission != Admission::Granted) {
            return finish(flight, throttled(*flight, ticket));
        }
        flight->slot = call.user->number;
    }
    std::string message;
    if (call.user != nullptr && !call.route.message.empty()) {
        if (const Message* found = Tenant::find_message(*call.user, call.route.message)) {
            message = Tenant::message_id(*call.user, *found, true);
            if (call.route.kind == RouteKind::Value)
                record.message = message;
        }
    }
    flight->fault = world_.faults.match(
        {record.route, call.user == nullptr ? std::string_view() : std::string_view(call.user->id),
         record.user, message, record.path});
    take_off(flight);
}

void App::authorise(Call& call) const {
    const auto refuse = [](std::string message) {
        return GraphError{
            401,
            "InvalidAuthenticationToken",
            std::move(message),
            {{"WWW-Authenticate",
              "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/"
              "oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\""}}};
    };
    const std::string* header = call.request.headers.find("Authorization");
    if (header == nullptr)
        throw refuse("Access token is empty.");
    if (!istarts_with(*header, "Bearer ")) {
        throw refuse("The authorization scheme is not supported; Bearer is required.");
    }
    const AccessToken* token = world_.access_tokens.find(trim(std::string_view(*header).substr(7)));
    if (token == nullptr) {
        throw refuse("IDX14100: JWT is not well formed, or it was not issued for this tenant.");
    }
    if (token->expires <= now_seconds()) {
        throw refuse("Lifetime validation failed, the token is expired.");
    }
    call.roles = token->roles;
}

void App::take_off(const FlightPtr& flight) {
    const Settings& settings = world_.settings;
    std::int64_t delay = settings.latency_ms;
    if (settings.latency_jitter_ms > 0) {
        delay += static_cast<std::int64_t>(world_.tenant.random().below(
            static_cast<std::uint64_t>(settings.latency_jitter_ms) + 1));
    }
    flight->record.fault = flight->fault.rule;
    if (flight->fault.action != nullptr)
        delay += flight->fault.action->delay_ms;
    if (delay <= 0)
        return proceed(flight);
    scheduler_.after(delay, [this, flight] { proceed(flight); });
}

void App::proceed(const FlightPtr& flight) {
    const FaultAction* action = flight->fault.action.get();
    Reply reply;
    const bool skip = action != nullptr && (action->replaces_reply() || action->hang);
    if (!skip) {
        try {
            if (is_token_path(flight->call.request.target)) {
                reply = token_service(world_, flight->call.request, flight->call.path,
                                      flight->call.query_text);
            } else if (flight->call.route.kind == RouteKind::Batch && !flight->inner &&
                       flight->call.request.method == "POST") {
                return run_batch(flight);
            } else if (flight->call.route.kind == RouteKind::Subscriptions &&
                       flight->call.request.method == "POST") {
                return subscribe(flight);
            } else {
                reply = answer(world_, flight->call);
            }
        } catch (const GraphError& error) {
            reply = error_reply(*flight, error);
        }
    }
    finish(flight, std::move(reply));
}

void App::subscribe(const FlightPtr& flight) {
    subscriptions_.create(
        flight->call, [this, flight](Reply&& reply) { finish(flight, std::move(reply)); },
        [this, flight](const GraphError& error) { finish(flight, error_reply(*flight, error)); });
}

void App::finish(const FlightPtr& flight, Reply&& reply) {
    if (flight->fault.action != nullptr) {
        const Request& request = flight->call.request;
        damage_reply(
            reply, *flight->fault.action,
            {flight->call.request_id, request.origin + request.target, flight->fault.fired});
    }
    add_common_headers(reply, flight->call);
    reply.chunk_size = static_cast<std::uint32_t>(world_.settings.chunk_size);
    const int status = reply.status;
    // Just before the last bytes go out: a client that waits for its answer never finds the
    // place of its previous request still taken.
    const auto release = [this, flight] {
        if (flight->slot)
            world_.limits.release(*flight->slot);
        flight->slot.reset();
    };
    reply.before_last_write = release;
    reply.done = [this, flight, status, release](std::uint64_t bytes, bool complete) {
        release();
        LogRecord& record = flight->record;
        record.status = status;
        record.bytes = bytes;
        record.complete = complete;
        record.duration_ms = static_cast<double>(steady_microseconds() - flight->started) / 1000.0;
        world_.log.add(std::move(record));
    };
    const Responder respond = std::move(flight->respond);
    respond(std::move(reply));
}

Reply App::error_reply(const Flight& flight, const GraphError& error) const {
    json::object inner;
    inner["date"] = view(plain_time(now_seconds()));
    inner["request-id"] = view(flight.call.request_id);
    const std::string* own = flight.call.request.headers.find("client-request-id");
    inner["client-request-id"] = view(own == nullptr ? flight.call.request_id : *own);
    json::object body;
    body["code"] = view(error.code);
    body["message"] = view(error.message);
    body["innerError"] = std::move(inner);
    Reply reply;
    reply.status = error.status;
    reply.body = json::serialize(json::object{{"error", std::move(body)}});
    reply.headers.set("Content-Type", "application/json");
    for (const Header& header : error.headers) reply.headers.set(header.name, header.value);
    return reply;
}

Reply App::throttled(const Flight& flight, const Limits::Ticket& ticket) {
    const Settings& settings = world_.settings;
    const bool concurrency = ticket.admission == Admission::Concurrency;
    GraphError error{429,
                     "ApplicationThrottled",
                     concurrency ? "Application is over its MailboxConcurrency limit."
                                 : "Application is over its RequestsPerWindow limit.",
                     {}};
    if (ticket.admission == Admission::Application) {
        error.code = "TooManyRequests";
        error.message = "Please retry again later.";
    }
    if (settings.retry_after_header) {
        std::int64_t seconds = settings.retry_after_min;
        const std::int64_t span = settings.retry_after_max - settings.retry_after_min;
        if (span > 0) {
            seconds += static_cast<std::int64_t>(
                world_.tenant.random().below(static_cast<std::uint64_t>(span) + 1));
        }
        error.headers.push_back({"Retry-After", std::to_string(seconds)});
    }
    return error_reply(flight, error);
}

void App::run_batch(const FlightPtr& flight) {
    auto batch = std::make_shared<Batch>();
    batch->outer = flight;
    batch->items = parse_batch(flight->call);
    batch->states.assign(batch->items.size(), 0);
    batch->sequential = std::any_of(batch->items.begin(), batch->items.end(),
                                    [](const BatchItem& item) { return !item.depends_on.empty(); });
    run_batch_items(batch);
}

void App::run_batch_items(const std::shared_ptr<Batch>& batch) {
    const std::size_t at_once = batch->sequential ? 1 : kBatchAtOnce;
    const auto state_of = [&](const std::string& id) {
        for (std::size_t i = 0; i < batch->items.size(); ++i) {
            if (iequals(batch->items[i].id, id))
                return batch->states[i];
        }
        return 424;
    };
    const auto done = [this, batch](std::size_t index, Reply&& reply) {
        BatchItem& item = batch->items[index];
        batch->states[index] = reply.status;
        batch->responses.push_back(batch_response(item, reply, world_.settings.batch_value_raw));
    };
    for (std::size_t i = 0; i < batch->items.size() && batch->running < at_once; ++i) {
        if (batch->states[i] != 0)
            continue;
        bool ready = true;
        bool failed = false;
        for (const std::string& id : batch->items[i].depends_on) {
            const int state = state_of(id);
            ready = ready && state > 1;
            failed = failed || state >= 400;
        }
        if (!ready)
            continue;
        if (failed) {
            Reply reply;
            reply.status = 424;
            done(i, std::move(reply));
            continue;
        }
        batch->states[i] = 1;
        ++batch->running;
        start(
            std::move(batch->items[i].request),
            [this, batch, done, i](Reply&& reply) {
                // An item has no connection of its own to break: it times out at the gateway.
                if (reply.fault.end != TransportFault::End::None) {
                    reply.status = 504;
                    reply.body.clear();
                    reply.stream.reset();
                }
                if (reply.stream != nullptr) {
                    reply.body = drain(*reply.stream);
                    reply.stream.reset();
                }
                if (reply.before_last_write)
                    reply.before_last_write();
                const std::uint64_t bytes = reply.body.size();
                const auto logged = std::move(reply.done);
                done(i, std::move(reply));
                if (logged)
                    logged(bytes, true);
                --batch->running;
                // Not from here: with many items that would nest deeply.
                scheduler_.after(0, [this, batch] { run_batch_items(batch); });
            },
            &batch->outer->call.roles);
    }
    const bool finished = std::all_of(batch->states.begin(), batch->states.end(),
                                      [](int state) { return state > 1; });
    if (!finished || batch->outer == nullptr)
        return;
    const FlightPtr outer = std::move(batch->outer);
    Reply reply;
    reply.headers.set("Content-Type", "application/json");
    reply.body = json::serialize(json::object{{"responses", std::move(batch->responses)}});
    finish(outer, std::move(reply));
}

bool Call::has_role(std::initializer_list<std::string_view> names) const {
    return std::any_of(names.begin(), names.end(), [this](std::string_view name) {
        return std::find(roles.begin(), roles.end(), name) != roles.end();
    });
}

World::World(const Options& given)
    : options(given),
      tenant(TenantPlan{given.users, given.messages, given.folders, given.large_bytes, given.seed,
                        given.mail_directory, given.extras, given.awkward_ids, given.median_bytes}),
      delta_tokens("delta " + std::to_string(given.seed)),
      faults(mix(given.seed, 99)) {
    settings.latency_ms = given.latency_ms;
    settings.limits = given.limits;
    settings.page_size_max = given.page_size_max;
    if (!given.client_certificate.empty()) {
        assertions = std::make_unique<AssertionVerifier>(given.client_certificate);
    }
}

}  // namespace graph_simulator

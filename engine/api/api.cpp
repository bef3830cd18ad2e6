#include "api/api.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <mutex>
#include <utility>

#include "api/audit.hpp"
#include "api/body.hpp"
#include "api/items.hpp"
#include "api/jobs.hpp"
#include "api/metrics.hpp"
#include "api/openapi.hpp"
#include "api/problem.hpp"
#include "api/request_rate.hpp"
#include "api/sign_in_guard.hpp"
#include "api/sources.hpp"
#include "api/tasks.hpp"
#include "archive/digest.hpp"
#include "console/console.hpp"
#include "export/time_filter.hpp"
#include "service/approvals.hpp"
#include "service/disposal_requests.hpp"
#include "service/documents.hpp"
#include "service/retention_requests.hpp"
#include "service/status_document.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr auto kEventsEvery = std::chrono::seconds(1);
constexpr std::size_t kMostBody = 64 * 1024;
constexpr std::size_t kMostNotification = 1024 * 1024;

/// /api/v1/sources/{id}/webhook: for services that notify, which have no credential.
bool is_webhook(const Request& request) {
    const auto& path = request.segments;
    return path.size() == 5 && path[0] == "api" && path[1] == "v1" && path[2] == "sources" &&
           path[4] == "webhook";
}

Response document(std::string text) {
    return {.body = std::move(text)};
}

Response document(const json::value& value) {
    return {.body = json::serialize(value)};
}

Response document(json::object members) {
    return document(json::value(std::move(members)));
}

Response document(Result<std::string> text) {
    return text ? document(std::move(*text)) : problem(text.error());
}

Response document(const Result<json::value>& value) {
    return value ? document(*value) : problem(value.error());
}

Response of_answer(service::Answer answer) {
    return answer.error ? problem(*answer.error) : document(std::move(answer.document));
}

json::value credential_value(const Credential& credential) {
    return {{"name", credential.name},
            {"role", to_string(credential.role)},
            {"accounts", json::array(credential.accounts.begin(), credential.accounts.end())},
            {"created_at", service::time_value(credential.created_at)}};
}

service::Person person_of(const Credential& caller) {
    return {.by = "api:" + (caller.name.empty() ? "setup" : caller.name),
            .role = std::string(to_string(caller.role))};
}

/// Who asks, and what the role may do. Without a name: whoever sets the service up.
json::object signed_in(const Credential& caller) {
    const bool setup = caller.name.empty();
    const auto rights = setup ? std::vector<std::string_view>() : rights_of(caller.role);
    return {{"name", caller.name},
            {"role", to_string(caller.role)},
            {"accounts", json::array(caller.accounts.begin(), caller.accounts.end())},
            {"rights", json::array(rights.begin(), rights.end())},
            {"setup", setup}};
}

/// What a path needs, and who answers it.
struct Call {
    const Request& request;
    const std::vector<std::string>& names;  ///< of the path's {parts}
    const Credential& caller;
    std::stop_token stop;
};

/// What the audit trail says of a request.
struct Audit {
    std::string_view action;  ///< empty: nothing
    bool with_body = false;   ///< ... of the request, which has no secret
};

struct Route {
    std::string_view method;
    std::vector<std::string_view> path;  ///< "{}" takes any segment
    Right right;
    std::function<Response(const Call&)> handle;
    Audit audit = {};
};

}  // namespace

struct Api::State {
    explicit State(service::Service& served)
        : service(served),
          log(served.context().log),
          credentials(served.context().profile.archive.catalog_path),
          jobs(served.context().profile.archive.catalog_path / "exports", served.context().clock) {}

    service::Service& service;
    std::shared_ptr<spdlog::logger> log;
    Credentials credentials;
    Jobs jobs;
    SignInGuard guard;
    RequestRate rate;
    std::vector<Route> routes;
    std::mutex mutex;  // guards setup_secret
    std::string setup_secret;
    std::unique_ptr<HttpServer> server;  // last: gone before what it uses

    Result<std::unique_ptr<catalog::CatalogReader>> catalog() {
        return catalog::CatalogReader::open(service.context().profile.archive.catalog_path);
    }

    Response by_verb(std::string verb, std::string options, const Credential& caller) {
        return of_answer(service.answer(
            {.verb = std::move(verb), .options = std::move(options), .person = person_of(caller)},
            [](std::string_view) { return true; }));
    }

    /// 202 where it is not done yet: another person has to approve it.
    Response by_deed(const service::Deed& deed, const Credential& caller) {
        Response response = by_verb(service::verb_of(deed), service::options_of(deed), caller);
        if (response.status == 200 && json::parse(response.body).as_object().contains("request")) {
            response.status = 202;
        }
        return response;
    }

    [[nodiscard]] Result<json::value> status() {
        OPENARCHIVER_TRY(const auto reader, catalog());
        return service::status_document(service.context(), reader.get(), service.live_document(),
                                        {});
    }

    void add(std::string_view method, std::vector<std::string_view> path, Right right,
             std::function<Response(const Call&)> handle, Audit audit = {}) {
        routes.push_back({method, std::move(path), right, std::move(handle), audit});
    }

    void describe() {
        describe_sources();
        describe_changes_of_sources();
        describe_mail();
        describe_keeping();
        describe_approvals();
        describe_jobs();
        describe_audit();
        describe_credentials();
    }

    void describe_sources() {
        add("GET", {"status"}, Right::observe, [this](const Call&) { return document(status()); });
        add("GET", {"sources"}, Right::observe, [this](const Call&) {
            const auto all = status();
            return all ? document(json::object{{"sources", all->at("sources")}})
                       : problem(all.error());
        });
        add("GET", {"sources", "{}"}, Right::observe, [this](const Call& call) {
            const auto all = status();
            if (!all) {
                return problem(all.error());
            }
            for (const json::value& source : all->at("sources").as_array()) {
                if (source.at("id") == json::value(call.names.at(0))) {
                    return document(source);
                }
            }
            return problem(404, "there is no source \"" + call.names.at(0) + "\"");
        });
        add("POST", {"sources", "{}", "sync"}, Right::operate,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                const Status asked = service.request_sync(
                    call.names.at(0),
                    {.accounts = body->texts("accounts"), .reconcile = body->flag("reconcile")});
                if (!asked) {
                    return problem(asked.error());
                }
                Response accepted = document(json::object{{"requested", true}});
                accepted.status = 202;
                return accepted;
            },
            {.action = "sync", .with_body = true});
        add("GET", {"accounts"}, Right::observe, [this](const Call& call) {
            return document([&]() -> Result<json::value> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                const auto live = service::live_sources(service.live_document());
                return service::accounts_document(*reader, call.request.values("source"), &live,
                                                  service.context().clock);
            }());
        });
        add("GET", {"folders"}, Right::observe, [this](const Call& call) {
            return document([&]() -> Result<json::value> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                const auto live = service::live_sources(service.live_document());
                return service::folders_document(*reader,
                                                 {.sources = call.request.values("source"),
                                                  .accounts = call.request.values("account")},
                                                 &live, service.context().clock);
            }());
        });
        add("GET", {"failures"}, Right::observe, [this](const Call&) {
            return document([&]() -> Result<json::value> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                const auto live = service::live_sources(service.live_document());
                return service::failures_document(*reader, &live);
            }());
        });
        add("POST", {"failures", "accept"}, Right::operate,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                const auto refs = body->texts("refs");
                return by_verb("failures",
                               json::serialize(
                                   json::object{{"accept", json::array(refs.begin(), refs.end())}}),
                               call.caller);
            },
            {.action = "accept_failures", .with_body = true});
        add("POST", {"failures", "retry"}, Right::operate,
            [this](const Call&) {
                const Status asked = service.retry_failures();
                if (!asked) {
                    return problem(asked.error());
                }
                Response accepted = document(json::object{{"requested", true}});
                accepted.status = 202;
                return accepted;
            },
            {.action = "retry_failures"});
        add("GET", {"events"}, Right::observe, [this](const Call&) { return events(); });
    }

    void describe_changes_of_sources() {
        add("GET", {"providers"}, Right::observe,
            [this](const Call&) { return list_providers(service.context().plugins); });
        add("POST", {"sources"}, Right::administer,
            [this](const Call& call) {
                return define_source(service, call.caller, {}, call.request);
            },
            {.action = "source_create"});
        add("POST", {"sources", "check"}, Right::administer,
            [this](const Call& call) { return check_source(service, call.request, call.stop); });
        add("PUT", {"sources", "{}"}, Right::administer,
            [this](const Call& call) {
                return define_source(service, call.caller, call.names.at(0), call.request);
            },
            {.action = "source_change"});
        add("DELETE", {"sources", "{}"}, Right::administer,
            [this](const Call& call) {
                return remove_source(service, call.caller, call.names.at(0), call.request);
            },
            {.action = "source_remove"});
        add("GET", {"sources", "{}", "definition"}, Right::administer,
            [this](const Call& call) { return show_definition(service, call.names.at(0)); });
        add("POST", {"sources", "{}", "check"}, Right::operate, [this](const Call& call) {
            return check_known_source(service, call.names.at(0), call.stop);
        });
        for (const bool paused : {true, false}) {
            add("POST", {"sources", "{}", paused ? "pause" : "resume"}, Right::operate,
                [this, paused](const Call& call) {
                    return pause_source(service, call.caller, call.names.at(0), paused);
                },
                {.action = paused ? "source_pause" : "source_resume"});
        }
    }

    void describe_mail() {
        add("GET", {"items"}, Right::read_mail,
            [this](const Call& call) {
                return list_items(service.context(), call.caller, call.request);
            },
            {.action = "list"});
        add("GET", {"search"}, Right::read_mail,
            [this](const Call& call) {
                return search_items(service.context(), call.caller, call.request);
            },
            {.action = "search"});
        add("GET", {"items", "{}"}, Right::read_mail,
            [this](const Call& call) {
                return show_item(service.context(), call.caller, call.names.at(0));
            },
            {.action = "read"});
        add("GET", {"items", "{}", "proof"}, Right::read_mail,
            [this](const Call& call) {
                return prove_item(service.context(), call.caller, call.names.at(0), call.request,
                                  call.stop);
            },
            {.action = "prove"});
        add("GET", {"items", "{}", "attachments"}, Right::read_mail,
            [this](const Call& call) {
                return list_attachments(service.context(), call.caller, call.names.at(0),
                                        call.request, call.stop);
            },
            {.action = "read"});
        add("GET", {"items", "{}", "attachments", "{}"}, Right::read_mail,
            [this](const Call& call) {
                return attachment(service.context(), call.caller, call.names.at(0),
                                  call.names.at(1), call.request, call.stop);
            },
            {.action = "download"});
        add("GET", {"items", "{}", "raw"}, Right::read_mail,
            [this](const Call& call) {
                return raw_item(service.context(), call.caller, call.names.at(0), call.request,
                                call.stop);
            },
            {.action = "download"});
    }

    void describe_jobs() {
        add("POST", {"exports"}, Right::read_mail,
            [this](const Call& call) {
                return start_export(jobs, service, call.caller, call.request);
            },
            {.action = "export", .with_body = true});
        add("POST", {"verifications"}, Right::operate,
            [this](const Call& call) {
                return start_verify(jobs, service, call.caller, call.request);
            },
            {.action = "verify", .with_body = true});
        add("GET", {"jobs"}, Right::sign_in, [this](const Call& call) {
            json::array list;
            for (json::object& job : jobs.list(call.caller)) {
                list.push_back(std::move(job));
            }
            return document(json::object{{"jobs", std::move(list)}});
        });
        add("GET", {"jobs", "{}"}, Right::sign_in, [this](const Call& call) {
            auto job = jobs.find(call.names.at(0), call.caller);
            return job ? document(std::move(*job)) : no_job(call.names.at(0));
        });
        add("DELETE", {"jobs", "{}"}, Right::sign_in, [this](const Call& call) {
            return jobs.remove(call.names.at(0), call.caller)
                       ? document(json::object{{"removed", call.names.at(0)}})
                       : no_job(call.names.at(0));
        });
        add("GET", {"jobs", "{}", "file"}, Right::read_mail,
            [this](const Call& call) { return export_file(jobs, call.caller, call.names.at(0)); },
            {.action = "download"});
    }

    static Response no_job(const std::string& id) {
        return problem(404, "there is no job \"" + id + "\"");
    }

    void describe_audit() {
        add("GET", {"audit"}, Right::audit,
            [this](const Call& call) { return audit_entries(service, call.request); },
            {.action = "audit_read"});
    }

    void describe_keeping() {
        add("GET", {"holds"}, Right::observe, [this](const Call& call) {
            return document([&]() -> Result<std::string> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                return service::holds_document(*reader, call.request.value("all") == "true",
                                               call.stop);
            }());
        });
        add("POST", {"holds"}, Right::hold,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                catalog::HoldPlaced hold{.id = {},
                                         .matter = body->text("matter"),
                                         .reason = body->text("reason"),
                                         .scope = {.sources = body->texts("sources"),
                                                   .accounts = body->texts("accounts"),
                                                   .folders = body->texts("folders"),
                                                   .sender = body->text("sender")},
                                         .query = body->text("query"),
                                         .by = {}};
                for (auto& [name, time] : {std::pair("since", &hold.scope.since),
                                           std::pair("until", &hold.scope.until)}) {
                    if (const std::string given = body->text(name); !given.empty()) {
                        const auto parsed = exporter::parse_time(given);
                        if (!parsed) {
                            return problem(parsed.error());
                        }
                        *time = *parsed;
                    }
                }
                Response placed =
                    by_verb("hold", service::to_json(service::HoldRequest(hold)), call.caller);
                placed.status = placed.status == 200 ? 201 : placed.status;
                return placed;
            },
            {.action = "hold_place", .with_body = true});
        add("POST", {"holds", "{}", "release"}, Right::hold,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                return by_deed(catalog::HoldReleased{call.names.at(0), body->text("reason"), {}},
                               call.caller);
            },
            {.action = "hold_release", .with_body = true});
        add("GET", {"retention"}, Right::observe, [this](const Call&) {
            return document([&]() -> Result<std::string> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                const auto context = service.context();
                return service::retention_document(*reader, context.profile.archive.retention,
                                                   context.clock);
            }());
        });
        add("POST", {"retention", "apply"}, Right::administer,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                return by_deed(disposal::ApplyRequest{.approve = body->text("approve"), .by = {}},
                               call.caller);
            },
            {.action = "retention_apply", .with_body = true});
        add("GET", {"retention", "simulation"}, Right::observe, [this](const Call& call) {
            return document([&]() -> Result<std::string> {
                OPENARCHIVER_TRY(const auto reader, catalog());
                return service::simulation_document(*reader,
                                                    service.context().profile.archive.retention,
                                                    service.context().clock, call.stop);
            }());
        });
    }

    void describe_approvals() {
        add("GET", {"approvals"}, Right::observe, [this](const Call&) {
            const auto context = service.context();
            return document(service::Approvals(context.profile.archive, context.clock).document());
        });
        add("POST", {"approvals", "{}", "approve"}, Right::approve,
            [this](const Call& call) {
                return by_verb("approval",
                               json::serialize(json::object{{"approve", call.names.at(0)}}),
                               call.caller);
            },
            {.action = "approval_approve"});
        add("POST", {"approvals", "{}", "refuse"}, Right::approve,
            [this](const Call& call) {
                const auto body = Body::parse(call.request.body);
                if (!body) {
                    return problem(400, body.error().message);
                }
                return by_verb("approval",
                               json::serialize(json::object{{"refuse", call.names.at(0)},
                                                            {"reason", body->text("reason")}}),
                               call.caller);
            },
            {.action = "approval_refuse", .with_body = true});
    }

    void describe_credentials() {
        add("GET", {"me"}, Right::sign_in,
            [](const Call& call) { return document(signed_in(call.caller)); });
        add("GET", {"credentials"}, Right::administer, [this](const Call&) {
            const auto list = credentials.list();
            if (!list) {
                return problem(list.error());
            }
            json::array shown;
            for (const Credential& one : *list) {
                shown.push_back(credential_value(one));
            }
            return document(json::object{{"credentials", std::move(shown)}});
        });
        add("POST", {"credentials"}, Right::administer,
            [this](const Call& call) { return add_credential(call); },
            {.action = "credential_add", .with_body = true});
        add("DELETE", {"credentials", "{}"}, Right::administer,
            [this](const Call& call) {
                const Status removed = credentials.remove(call.names.at(0));
                return removed ? document(json::object{{"removed", call.names.at(0)}})
                               : problem(404, removed.error().message);
            },
            {.action = "credential_remove"});
    }

    Response add_credential(const Call& call) {
        const auto body = Body::parse(call.request.body);
        if (!body) {
            return problem(400, body.error().message);
        }
        const auto role = role_from(body->text("role"));
        if (!role) {
            return problem(422,
                           "\"role\" is one of administrator, operator, auditor, account_holder");
        }
        Credential credential{.name = body->text("name"),
                              .role = *role,
                              .accounts = body->texts("accounts"),
                              .created_at = sdk::timestamp_of(service.context().clock)};
        auto secret = credentials.add(credential);
        if (!secret) {
            return problem(secret.error());
        }
        {
            const std::lock_guard lock(mutex);
            setup_secret.clear();
        }
        json::value value = credential_value(credential);
        value.as_object()["secret"] = *secret;
        Response added = document(value);
        added.status = 201;
        return added;
    }

    /// How the sources get on, each second, as server-sent events.
    Response events() {
        Response response{.content_type = "text/event-stream"};
        response.stream = [this](sdk::ByteSink& sink, const std::stop_token& stop) -> Status {
            std::mutex idle;
            std::condition_variable_any wait;
            while (!stop.stop_requested()) {
                const std::string text =
                    "event: sources\ndata: " + service.live_document() + "\n\n";
                OPENARCHIVER_CHECK(sink.write(std::as_bytes(std::span(text))));
                std::unique_lock lock(idle);
                wait.wait_for(lock, stop, kEventsEvery, [] { return false; });
            }
            return {};
        };
        return response;
    }

    Response unauthenticated(std::string_view detail) {
        Response response = problem(401, detail);
        response.fields.emplace_back("WWW-Authenticate", "Bearer");
        return response;
    }

    /// An empty name: the one-time setup credential.
    Result<std::optional<Credential>> caller_of(const Request& request) {
        constexpr std::string_view kScheme = "Bearer ";
        if (!request.authorization.starts_with(kScheme)) {
            return std::optional<Credential>();
        }
        const std::string secret = request.authorization.substr(kScheme.size());
        {
            const std::lock_guard lock(mutex);
            if (!setup_secret.empty() && same_secret(secret, setup_secret)) {
                return std::optional(Credential{.name = {}, .role = Role::administrator});
            }
        }
        return credentials.find(secret);
    }

    static bool fits(const Route& route, const std::vector<std::string>& path,
                     std::vector<std::string>& names) {
        names.clear();
        if (route.path.size() != path.size()) {
            return false;
        }
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (route.path[i] == "{}") {
                names.push_back(path[i]);
            } else if (route.path[i] != path[i]) {
                return false;
            }
        }
        return true;
    }

    Response answer(const Request& request, std::stop_token stop) {
        const auto& path = request.segments;
        if (path == std::vector<std::string>{"healthz"}) {
            return document(json::object{{"status", "ok"}});
        }
        if (path == std::vector<std::string>{"readyz"}) {
            const auto reader = catalog();
            return reader ? document(json::object{{"status", "ready"}})
                          : problem(503, reader.error().message);
        }
        if (path == std::vector<std::string>{"metrics"}) {
            return authorised(
                request, stop,
                {"GET",
                 {},
                 Right::observe,
                 [this](const Call&) {
                     const auto all = status();
                     return all ? Response{.content_type = "text/plain; version=0.0.4",
                                           .body = to_metrics(*all)}
                                : problem(all.error());
                 }},
                {});
        }
        if (path.size() < 2 && (request.method == "GET")) {
            if (const auto* const file = console::find(path.empty() ? "" : path.front())) {
                return with_tag(request, console_file(*file));
            }
        }
        if (path.size() < 3 || path[0] != "api" || path[1] != "v1") {
            return problem(404,
                           "there is nothing here; the console is at /, the API below /api/v1, its "
                           "description at /api/v1/openapi.json");
        }
        if (is_webhook(request)) {
            return notify(request, stop);
        }
        const std::vector<std::string> below(path.begin() + 2, path.end());
        if (below == std::vector<std::string>{"openapi.json"}) {
            return document(std::string(openapi_document()));
        }
        std::vector<std::string> names;
        std::string allowed;
        for (const Route& route : routes) {
            if (!fits(route, below, names)) {
                continue;
            }
            if (route.method == request.method) {
                return authorised(request, stop, route, names);
            }
            allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
        }
        if (allowed.empty()) {
            return problem(404, "the API has nothing at this address");
        }
        Response response = problem(405, "this address takes " + allowed);
        response.fields.emplace_back("Allow", allowed);
        return response;
    }

    /// The provider proves that it comes from the service.
    Response notify(const Request& request, const std::stop_token& stop) {
        if (request.method != "GET" && request.method != "POST") {
            Response response = problem(405, "this address takes GET, POST");
            response.fields.emplace_back("Allow", "GET, POST");
            return response;
        }
        const std::string& source = request.segments[3];
        const auto answer = service.webhook(source,
                                            {.method = request.method,
                                             .query = request.query_text,
                                             .headers = request.fields,
                                             .body = request.body},
                                            stop);
        if (answer) {
            log->debug("api: notification for {}: {}", source, answer->status);
            return {.status = answer->status,
                    .content_type = answer->media_type.empty() ? "text/plain" : answer->media_type,
                    .body = answer->body};
        }
        const Error& error = answer.error();
        if (error.code == Errc::permission_denied || error.code == Errc::unauthenticated) {
            log->warn("OA-5006 api: a notification for {} that is not from its service", source);
            return problem(403, "this is not from the service");
        }
        if (error.code == Errc::unsupported || error.code == Errc::not_found) {
            return problem(404, "no source takes notifications at this address");
        }
        // Whoever asks is a stranger: the details are for the log.
        if (error.code != Errc::rate_limited) {
            log->warn("OA-5007 api: a notification for {} was not taken: {}", source,
                      error.message);
        }
        Response response = problem(Error{error.code, "this can't be taken now"});
        if (error.retry_after) {
            const auto wait = std::chrono::ceil<std::chrono::seconds>(*error.retry_after);
            response.fields.emplace_back("Retry-After", std::to_string(wait.count()));
        }
        return response;
    }

    Response authorised(const Request& request, const std::stop_token& stop, const Route& route,
                        const std::vector<std::string>& names) {
        const auto now = SignInGuard::Clock::now();
        if (const auto wait = guard.wait(request.client, now)) {
            Response response = problem(429, "too many wrong credentials from this address");
            response.fields.emplace_back("Retry-After", std::to_string(wait->count()));
            return response;
        }
        const auto caller = caller_of(request);
        if (!caller) {
            return problem(caller.error());
        }
        if (!*caller) {
            if (request.authorization.empty()) {
                return unauthenticated("give a credential: Authorization: Bearer SECRET");
            }
            guard.failed(request.client, now);
            log->warn("OA-5003 api: wrong credential from {}", request.client);
            return unauthenticated("nobody has this credential");
        }
        if (!rate.admit((*caller)->name, now)) {
            Response response = problem(429, "this credential asks too often");
            response.fields.emplace_back("Retry-After", "1");
            return response;
        }
        const bool setting_up = (*caller)->name.empty();
        const bool sets_up =
            route.path == std::vector<std::string_view>{"me"} ||
            (route.method == "POST" && route.path == std::vector<std::string_view>{"credentials"});
        if (!may((*caller)->role, route.right) || (setting_up && !sets_up)) {
            return problem(403, setting_up ? "the setup credential is good for the first POST "
                                             "/api/v1/credentials, and nothing else"
                                           : "the role " + std::string(to_string((*caller)->role)) +
                                                 " may not do this");
        }
        log->info("OA-5002 api: {} {} by {}", request.method, path_of(request),
                  setting_up ? "setup" : (*caller)->name);
        Response response = route.handle({request, names, **caller, stop});
        if (!route.audit.action.empty()) {
            const Status written = service.audit().append(
                act_of(route, request, names, **caller, response), service.context().clock);
            if (!written) {
                log->error("OA-5004 api: {}", written.error().message);
                return problem(written.error());
            }
        }
        return with_tag(request, std::move(response));
    }

    /// What is written down before the answer goes out. What was made is known by the answer alone.
    static service::Act act_of(const Route& route, const Request& request,
                               const std::vector<std::string>& names, const Credential& caller,
                               const Response& response) {
        service::Person person = person_of(caller);
        service::Act act{.by = std::move(person.by),
                         .role = std::move(person.role),
                         .action = std::string(route.audit.action)};
        for (const auto& [name, value] : request.query) {
            act.detail[name] = value;
        }
        boost::system::error_code none;
        if (route.audit.with_body) {
            if (const json::value body = json::parse(request.body, none); body.is_object()) {
                act.detail.insert(body.get_object().begin(), body.get_object().end());
            }
        }
        act.detail["status"] = response.status;
        if (!names.empty()) {
            act.object = names.front();
            if (names.size() > 1) {
                act.detail["attachment"] = names.at(1);
            }
        } else if (route.method == "POST") {
            const json::value made = json::parse(response.body, none);
            for (const char* const name : {"id", "name"}) {
                if (const json::object* const object = made.if_object();
                    act.object.empty() && object != nullptr && object->contains(name) &&
                    object->at(name).is_string()) {
                    act.object = object->at(name).as_string();
                }
            }
        }
        return act;
    }

    /// Nothing but the console's own script and style is loaded, by whatever it shows: HTML mail,
    /// too, which brings its styles with it and has its pictures as data.
    static Response console_file(const console::File& file) {
        Response response{.content_type = std::string(file.content_type),
                          .body = std::string(file.bytes)};
        response.fields = {
            {"Cache-Control", "no-cache"},
            {"Content-Security-Policy",
             "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src "
             "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
             "'none'"},
            {"Cross-Origin-Opener-Policy", "same-origin"},
            {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
            {"Referrer-Policy", "no-referrer"},
            {"X-DNS-Prefetch-Control", "off"}};
        return response;
    }

    static std::string path_of(const Request& request) {
        std::string path;
        for (const auto& segment : request.segments) {
            path += "/" + segment;
        }
        return path;
    }

    /// A document that is still the one that the client has is not sent again.
    static Response with_tag(const Request& request, Response response) {
        if (request.method != "GET" || response.status != 200 || response.stream) {
            return response;
        }
        const std::string tag = "\"" + archive::to_hex(archive::sha256(response.body)) + "\"";
        if (request.if_none_match == tag) {
            response = {.status = 304, .content_type = response.content_type};
        }
        response.fields.emplace_back("ETag", tag);
        return response;
    }
};

Api::Api(std::unique_ptr<State> state) : state_(std::move(state)) {}

Api::~Api() {
    state_->server.reset();
}

Result<std::unique_ptr<Api>> Api::open(service::Service& service) {
    auto state = std::make_unique<State>(service);
    state->describe();
    OPENARCHIVER_TRY(const auto known, state->credentials.list());
    const auto& where = service.context().profile.service;
    State& answering = *state;
    OPENARCHIVER_TRY(state->server,
                     HttpServer::open({.host = where.host,
                                       .port = where.port,
                                       .certificate = where.certificate,
                                       .key = where.key,
                                       .most_body =
                                           [](const Request& request) {
                                               return is_webhook(request) ? kMostNotification
                                                                          : kMostBody;
                                           }},
                                      [&answering](const Request& request, std::stop_token stop) {
                                          return answering.answer(request, std::move(stop));
                                      }));
    state->log->info("OA-5001 api: listening on {}:{}", where.host, state->server->port());
    if (known.empty()) {
        const std::lock_guard lock(state->mutex);
        state->setup_secret = new_secret();
        service.announce(
            "The HTTP API has no credentials yet. To make the first one, once: POST "
            "/api/v1/credentials with Authorization: Bearer " +
            state->setup_secret + ", or `openarchiver credential add NAME --role administrator`.");
    }
    return std::unique_ptr<Api>(new Api(std::move(state)));
}

}  // namespace openarchiver::api

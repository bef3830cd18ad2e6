#include "faults.hpp"

#include <algorithm>
#include <boost/crc.hpp>
#include <cctype>
#include <stdexcept>

#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

bool route_matches(std::string_view rule, std::string_view route) {
    if (rule == "any" || rule == route)
        return true;
    // "users" and "folders" stand for their families; the exact names remain available.
    if (rule == "users")
        return route == "user" || route == "users_delta";
    if (rule == "folders")
        return route == "folders_delta";
    return false;
}

bool rule_matches(const FaultRule& rule, const FaultTarget& target) {
    if (!route_matches(rule.route, target.route))
        return false;
    if (!rule.user.empty() && !iequals(rule.user, target.user_id) &&
        !iequals(rule.user, target.user_name)) {
        return false;
    }
    if (!rule.message.empty() && rule.message != target.message)
        return false;
    if (rule.path_contains.empty())
        return true;
    const auto path = percent_decode(target.path, false);
    return path && path->find(rule.path_contains) != std::string::npos;
}

json::object parse_page(const std::string& body) {
    boost::system::error_code error;
    json::value value = json::parse(view(body), error);
    return !error && value.is_object() ? std::move(value.as_object()) : json::object();
}

// The same address in ever another spelling: letters of its last value are escaped, as the bits of
// `number` say.
std::string respelled(const std::string& url, std::uint64_t number) {
    std::string out = url.substr(0, url.rfind('=') + 1);
    const std::string value =
        percent_decode(std::string_view(url).substr(out.size()), false).value_or("");
    for (const char c : value) {
        const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0;
        if (letter && number % 2 == 1) {
            out += '%';
            out += hex(std::string_view(&c, 1));
        } else {
            out += c;
        }
        if (letter)
            number /= 2;
    }
    return out;
}

void edit_items(json::object& page, const FaultAction& action) {
    json::value* value = page.if_contains("value");
    if (value == nullptr || !value->is_array())
        return;
    json::array items = action.first_items;
    for (json::value& item : value->as_array()) items.push_back(std::move(item));
    for (const json::value& item : action.last_items) items.push_back(item);
    if (action.duplicate_items) {
        const json::array once = items;
        for (const json::value& item : once) items.push_back(item);
    }
    if (action.reverse_items)
        std::reverse(items.begin(), items.end());
    *value = std::move(items);
}

void edit_page(Reply& reply, const FaultAction& action, const FaultScene& scene) {
    json::object page = parse_page(reply.body);
    if (page.empty())
        return;
    constexpr std::string_view kNext = "@odata.nextLink";
    constexpr std::string_view kDelta = "@odata.deltaLink";
    if (!action.next_link.empty()) {
        page.erase(view(kDelta));
        page[view(kNext)] = view(action.next_link);
    }
    if (!action.loop.empty()) {
        page.erase(view(kDelta));
        page[view(kNext)] = action.loop == "same" ? scene.url : respelled(scene.url, scene.fired);
    }
    if (action.drop_links) {
        page.erase(view(kDelta));
        page.erase(view(kNext));
    }
    if (action.both_links) {
        if (const json::value* next = page.if_contains(view(kNext))) {
            page[view(kDelta)] = json::value(*next);
        } else if (const json::value* delta = page.if_contains(view(kDelta))) {
            page[view(kNext)] = json::value(*delta);
        }
    }
    edit_items(page, action);
    reply.body = json::serialize(page);
}

std::string default_code(int status) {
    switch (status) {
        case 401:
            return "InvalidAuthenticationToken";
        case 403:
            return "ErrorAccessDenied";
        case 404:
            return "ErrorItemNotFound";
        case 410:
            return "SyncStateNotFound";
        case 429:
            return "ApplicationThrottled";
        case 500:
            return "ErrorInternalServerError";
        case 503:
            return "ServiceUnavailable";
        default:
            return "UnknownError";
    }
}

void replace_reply(Reply& reply, const FaultAction& action, const std::string& request_id) {
    Reply made;
    made.status = action.status.value_or(action.redirect.empty() ? (action.html ? 503 : 200) : 302);
    std::string type = "application/json";
    if (!action.redirect.empty()) {
        made.headers.set("Location", action.redirect);
    } else if (action.body) {
        made.body = *action.body;
    } else if (action.html) {
        type = "text/html";
        made.body = "<html><head><title>" + std::to_string(made.status) +
                    "</title></head><body><h1>The service is unavailable.</h1></body></html>";
    } else if (!action.empty_body) {
        json::object inner = {{"date", plain_time(now_seconds())}, {"request-id", request_id}};
        if (!action.inner_code.empty())
            inner["code"] = view(action.inner_code);
        const std::string code = action.code.empty() ? default_code(made.status) : action.code;
        json::object error = {{"code", code}, {"message", view(action.message)}};
        error["innerError"] = std::move(inner);
        made.body = json::serialize(json::object{{"error", std::move(error)}});
    }
    if (!action.content_type.empty())
        type = action.content_type;
    if (!made.body.empty())
        made.headers.set("Content-Type", type);
    reply = std::move(made);
}

// RFC 1952 with stored blocks: valid, if not smaller.
std::string gzipped(std::string_view text) {
    const auto put = [](std::string& out, std::uint32_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
    };
    constexpr std::size_t kLargestBlock = 65535;
    boost::crc_32_type crc;
    crc.process_bytes(text.data(), text.size());
    std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    const auto size = static_cast<std::uint32_t>(text.size());
    do {
        const std::string_view block = text.substr(0, kLargestBlock);
        text.remove_prefix(block.size());
        const auto length = static_cast<std::uint32_t>(block.size());
        out += static_cast<char>(text.empty());
        put(out, length, 2);
        put(out, ~length, 2);
        out += block;
    } while (!text.empty());
    put(out, crc.checksum(), 4);
    put(out, size, 4);
    return out;
}

void edit_body(Reply& reply, const FaultAction& action) {
    if (!action.truncate_body && !action.replace && !action.gzip)
        return;
    if (reply.stream != nullptr) {
        reply.body = drain(*reply.stream);
        reply.stream.reset();
    }
    if (action.replace) {
        const auto& [find, with] = *action.replace;
        if (const auto at = reply.body.find(find); at != std::string::npos)
            reply.body.replace(at, find.size(), with);
    }
    if (action.truncate_body)
        reply.body.resize(std::min<std::size_t>(reply.body.size(), *action.truncate_body));
    if (action.gzip) {
        reply.body = gzipped(reply.body);
        reply.headers.set("Content-Encoding", "gzip");
    }
}

void set_transport(Reply& reply, const FaultAction& action) {
    if (action.hang) {
        reply.fault.end = TransportFault::End::Stall;
        reply.fault.before_head = true;
    } else if (action.no_response) {
        reply.fault.end =
            action.reset_after_bytes ? TransportFault::End::Reset : TransportFault::End::Close;
        reply.fault.before_head = true;
    } else if (action.reset_after_bytes) {
        reply.fault.end = TransportFault::End::Reset;
        reply.fault.after_bytes = *action.reset_after_bytes;
    } else if (action.close_after_bytes) {
        reply.fault.end = TransportFault::End::Close;
        reply.fault.after_bytes = *action.close_after_bytes;
    } else if (action.stall_after_bytes) {
        reply.fault.end = TransportFault::End::Stall;
        reply.fault.after_bytes = *action.stall_after_bytes;
    }
    reply.fault.short_by = action.short_content_length;
    reply.fault.pause_in_head_ms = action.pause_in_head_ms;
    reply.fault.close_silently = action.close_silently;
    reply.close_connection = action.close_connection;
}

std::optional<std::uint64_t> bytes_of(const json::value& value, std::string_view name) {
    if (!value.is_int64() || value.as_int64() < 0) {
        throw std::invalid_argument("'" + std::string(name) + "' must be a number of bytes");
    }
    return static_cast<std::uint64_t>(value.as_int64());
}

std::string text_of(const json::value& value, std::string_view name) {
    if (!value.is_string())
        throw std::invalid_argument("'" + std::string(name) + "' must be text");
    return str(value.as_string());
}

bool read_flag(FaultAction& action, std::string_view name, const json::value& value) {
    bool* target = name == "hang"               ? &action.hang
                   : name == "html"             ? &action.html
                   : name == "no_response"      ? &action.no_response
                   : name == "close_connection" ? &action.close_connection
                   : name == "drop_links"       ? &action.drop_links
                   : name == "both_links"       ? &action.both_links
                   : name == "duplicate_items"  ? &action.duplicate_items
                   : name == "empty_body"       ? &action.empty_body
                   : name == "reverse_items"    ? &action.reverse_items
                   : name == "gzip"             ? &action.gzip
                   : name == "close_silently"   ? &action.close_silently
                                                : nullptr;
    if (target == nullptr)
        return false;
    if (!value.is_bool())
        throw std::invalid_argument("'" + std::string(name) + "' must be a boolean");
    *target = value.as_bool();
    return true;
}

void read_action(FaultAction& action, std::string_view name, const json::value& value) {
    if (read_flag(action, name, value))
        return;
    if (name == "status")
        action.status = static_cast<int>(*bytes_of(value, name));
    else if (name == "code")
        action.code = text_of(value, name);
    else if (name == "message")
        action.message = text_of(value, name);
    else if (name == "inner_code")
        action.inner_code = text_of(value, name);
    else if (name == "body")
        action.body = text_of(value, name);
    else if (name == "body_base64")
        action.body = base64_decode_lenient(text_of(value, name));
    else if (name == "content_type")
        action.content_type = text_of(value, name);
    else if (name == "delay_ms")
        action.delay_ms = static_cast<std::int64_t>(*bytes_of(value, name));
    else if (name == "reset_after_bytes")
        action.reset_after_bytes = bytes_of(value, name);
    else if (name == "close_after_bytes")
        action.close_after_bytes = bytes_of(value, name);
    else if (name == "stall_after_bytes")
        action.stall_after_bytes = bytes_of(value, name);
    else if (name == "short_content_length")
        action.short_content_length = bytes_of(value, name);
    else if (name == "truncate_body")
        action.truncate_body = bytes_of(value, name);
    else if (name == "redirect")
        action.redirect = text_of(value, name);
    else if (name == "next_link")
        action.next_link = text_of(value, name);
    else if (name == "pause_in_head_ms")
        action.pause_in_head_ms = static_cast<std::int64_t>(*bytes_of(value, name));
    else if (name == "first_items" && value.is_array())
        action.first_items = value.as_array();
    else if (name == "last_items" && value.is_array())
        action.last_items = value.as_array();
    else if (name == "loop" && (value == "same" || value == "changing"))
        action.loop = text_of(value, name);
    else if (name == "replace" && value.is_array() && value.as_array().size() == 2) {
        action.replace.emplace(text_of(value.as_array()[0], name),
                               text_of(value.as_array()[1], name));
    } else if (name == "headers" && value.is_object()) {
        for (const auto& [key, text] : value.as_object()) {
            action.headers.add(str(key), text_of(text, name));
        }
    } else {
        throw std::invalid_argument("unknown fault action '" + std::string(name) + "'");
    }
}

void read_match(FaultRule& rule, std::string_view name, const json::value& value) {
    if (name == "route")
        rule.route = text_of(value, name);
    else if (name == "user")
        rule.user = text_of(value, name);
    else if (name == "message")
        rule.message = text_of(value, name);
    else if (name == "path_contains")
        rule.path_contains = text_of(value, name);
    else if (name == "nth")
        rule.nth = *bytes_of(value, name);
    else if (name == "every")
        rule.every = *bytes_of(value, name);
    else if (name == "probability" && value.is_number())
        rule.probability = value.to_number<double>();
    else if (name == "seed")
        rule.random.emplace(*bytes_of(value, name));
    else
        throw std::invalid_argument("unknown fault match '" + std::string(name) + "'");
}

}  // namespace

bool FaultAction::replaces_reply() const {
    return status.has_value() || body.has_value() || html || empty_body || !redirect.empty();
}

bool FaultAction::edits_page() const {
    return !next_link.empty() || !loop.empty() || drop_links || both_links || duplicate_items ||
           reverse_items || !first_items.empty() || !last_items.empty();
}

std::uint64_t FaultPlan::add(const json::object& rule) {
    FaultRule made;
    for (const auto& [key, value] : rule) {
        const std::string name = str(key);
        if (name == "times") {
            made.times = *bytes_of(value, name);
        } else if (name == "match" && value.is_object()) {
            for (const auto& [inner, text] : value.as_object()) read_match(made, str(inner), text);
        } else if (name == "action" && value.is_object()) {
            for (const auto& [inner, text] : value.as_object()) {
                read_action(made.action, str(inner), text);
            }
        } else {
            throw std::invalid_argument("unknown fault member '" + name + "'");
        }
    }
    made.id = next_id_++;
    auto action = std::make_shared<const FaultAction>(made.action);
    rules_.emplace_back(std::move(made), std::move(action));
    return rules_.back().first.id;
}

bool FaultPlan::remove(std::uint64_t id) {
    return std::erase_if(rules_, [id](const auto& each) { return each.first.id == id; }) > 0;
}

json::array FaultPlan::to_json() const {
    json::array out;
    for (const auto& [rule, action] : rules_) {
        json::object each;
        each["id"] = rule.id;
        each["route"] = rule.route;
        each["matched"] = rule.matched;
        each["fired"] = rule.fired;
        each["times"] = rule.times;
        out.push_back(std::move(each));
    }
    return out;
}

FaultPlan::Hit FaultPlan::match(const FaultTarget& target) {
    for (auto& [rule, action] : rules_) {
        if (!rule_matches(rule, target))
            continue;
        if (rule.times != 0 && rule.fired >= rule.times)
            continue;
        ++rule.matched;
        if (rule.nth != 0 && rule.matched != rule.nth)
            continue;
        if (rule.every != 0 && rule.matched % rule.every != 0)
            continue;
        Random& random = rule.random ? *rule.random : random_;
        if (rule.probability < 1.0 && random.unit() >= rule.probability)
            continue;
        ++rule.fired;
        return {rule.id, rule.fired, action};
    }
    return {};
}

void damage_reply(Reply& reply, const FaultAction& action, const FaultScene& scene) {
    if (action.replaces_reply())
        replace_reply(reply, action, scene.request_id);
    else if (action.edits_page())
        edit_page(reply, action, scene);
    edit_body(reply, action);
    for (const Header& header : action.headers.list()) reply.headers.set(header.name, header.value);
    set_transport(reply, action);
}

}  // namespace graph_simulator

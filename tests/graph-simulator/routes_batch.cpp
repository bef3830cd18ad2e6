// The envelope of $batch; running the items is the application's work.
#include <algorithm>
#include <set>

#include "routes.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

constexpr std::size_t kMostItems = 20;

BatchItem parse_item(const Call& call, const json::value& value) {
    if (!value.is_object())
        throw bad_request("Invalid batch payload format.");
    const json::object& given = value.as_object();
    BatchItem item;
    item.id = text_or(given, "id", "");
    item.request.method = text_or(given, "method", "");
    std::string url = text_or(given, "url", "");
    if (item.id.empty() || item.request.method.empty() || url.empty()) {
        throw bad_request("Every batch request needs id, method and url.");
    }
    if (url.find("://") != std::string::npos) {
        throw bad_request("The url of a batch request must be relative.");
    }
    if (url[0] != '/')
        url.insert(0, "/");
    item.request.target = "/v1.0" + url;
    item.request.origin = call.request.origin;
    if (const json::value* headers = given.if_contains("headers");
        headers && headers->is_object()) {
        for (const auto& [name, text] : headers->as_object()) {
            if (text.is_string())
                item.request.headers.add(str(name), str(text.as_string()));
        }
    }
    if (const json::value* body = given.if_contains("body")) {
        if (item.request.headers.find("Content-Type") == nullptr) {
            throw bad_request("A batch request with a body needs a Content-Type header.");
        }
        item.request.body = body->is_string()
                                ? base64url_decode(str(body->as_string())).value_or("")
                                : json::serialize(*body);
    }
    if (const json::value* list = given.if_contains("dependsOn"); list && list->is_array()) {
        for (const json::value& each : list->as_array()) {
            if (each.is_string())
                item.depends_on.push_back(str(each.as_string()));
        }
    }
    return item;
}

}  // namespace

std::vector<BatchItem> parse_batch(const Call& call) {
    call.query.allow({});
    const std::string* type = call.request.headers.find("Content-Type");
    if (type == nullptr || !istarts_with(*type, "application/json")) {
        throw bad_request("A batch must be application/json.");
    }
    boost::system::error_code error;
    const json::value parsed = json::parse(view(call.request.body), error);
    const json::value* list =
        !error && parsed.is_object() ? parsed.as_object().if_contains("requests") : nullptr;
    if (list == nullptr || !list->is_array() || list->as_array().empty()) {
        throw bad_request("Invalid batch payload format.");
    }
    if (list->as_array().size() > kMostItems) {
        throw bad_request("Number of batch request steps exceeds the maximum value of 20.");
    }
    std::vector<BatchItem> items;
    std::set<std::string> ids;
    for (const json::value& value : list->as_array()) {
        items.push_back(parse_item(call, value));
        if (!ids.insert(lower(items.back().id)).second) {
            throw bad_request("Batch request ids must be unique.");
        }
    }
    // A dependency must exist and come earlier, which also rules out circles.
    std::set<std::string> earlier;
    for (const BatchItem& item : items) {
        for (const std::string& id : item.depends_on) {
            if (!earlier.contains(lower(id))) {
                throw bad_request("dependsOn names a request that does not come before.");
            }
        }
        earlier.insert(lower(item.id));
    }
    return items;
}

json::object batch_response(const BatchItem& item, Reply& reply, bool raw_value) {
    json::object headers;
    for (const Header& header : reply.headers.list()) {
        if (!iequals(header.name, "x-ms-ags-diagnostic"))
            headers[header.name] = view(header.value);
    }
    const std::string* type = reply.headers.find("Content-Type");
    json::object out;
    out["id"] = view(item.id);
    out["status"] = reply.status;
    if (reply.status == 424) {
        out["body"] = json::object{
            {"error", json::object{{"code", "FailedDependency"},
                                   {"message", "A request this one depends on has failed."}}}};
    } else if (type != nullptr && istarts_with(*type, "application/json")) {
        boost::system::error_code error;
        json::value body = json::parse(view(reply.body), error);
        if (!error)
            out["body"] = std::move(body);
    } else if (!reply.body.empty()) {
        out["body"] = view(raw_value ? valid_utf8(reply.body) : base64_encode(reply.body));
    }
    out["headers"] = std::move(headers);
    return out;
}

}  // namespace graph_simulator

#include "service/control_protocol.hpp"

#include <boost/json.hpp>

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;

namespace {

Error unintelligible(std::string_view what) {
    return {.code = Errc::corrupt,
            .message = "a message on the control socket can't be understood: " + std::string(what)};
}

sdk::Result<json::object> parse_object(std::string_view message) {
    boost::system::error_code failure;
    json::value value = json::parse({message.data(), message.size()}, failure);
    if (failure || !value.is_object()) {
        return unintelligible("it is no JSON object");
    }
    return std::move(value.get_object());
}

std::string text(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

json::value parsed(const std::string& json_text) {
    boost::system::error_code failure;
    json::value value = json::parse(json_text, failure);
    return failure ? json::value() : value;
}

}  // namespace

Errc errc_of(std::string_view name) {
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        if (sdk::to_string(static_cast<Errc>(code)) == name) {
            return static_cast<Errc>(code);
        }
    }
    return Errc::internal;
}

std::string encode(const ControlRequest& request) {
    return json::serialize(
        json::object{{"verb", request.verb}, {"options", parsed(request.options)}});
}

sdk::Result<ControlRequest> decode_request(std::string_view message) {
    OPENARCHIVER_TRY(const json::object object, parse_object(message));
    ControlRequest request;
    request.verb = text(object, "verb");
    if (request.verb.empty()) {
        return unintelligible("it names no verb");
    }
    if (const json::value* const options = object.if_contains("options");
        options != nullptr && options->is_object()) {
        request.options = json::serialize(*options);
    }
    return request;
}

std::string encode(const ControlProgress& progress) {
    return json::serialize(json::object{{"progress", parsed(progress.document)}});
}

std::string encode(const Answer& answer) {
    json::object object;
    if (!answer.document.empty()) {
        object["result"] = parsed(answer.document);
    }
    if (answer.error) {
        object["error"] = json::object{{"code", sdk::to_string(answer.error->code)},
                                       {"message", answer.error->message}};
    }
    object["exit_code"] = static_cast<int>(answer.exit_code);
    return json::serialize(object);
}

sdk::Result<std::variant<ControlProgress, Answer>> decode_answer(std::string_view message) {
    OPENARCHIVER_TRY(const json::object object, parse_object(message));
    if (const json::value* const progress = object.if_contains("progress")) {
        return std::variant<ControlProgress, Answer>(ControlProgress{json::serialize(*progress)});
    }
    const json::value* const exit_code = object.if_contains("exit_code");
    if (exit_code == nullptr || !exit_code->is_int64()) {
        return unintelligible("it is neither progress nor an answer");
    }
    Answer answer;
    answer.exit_code = static_cast<ExitCode>(exit_code->get_int64());
    if (const json::value* const result = object.if_contains("result")) {
        answer.document = json::serialize(*result);
    }
    if (const json::value* const error = object.if_contains("error");
        error != nullptr && error->is_object()) {
        answer.error = Error{.code = errc_of(text(error->get_object(), "code")),
                             .message = text(error->get_object(), "message")};
    }
    return std::variant<ControlProgress, Answer>(std::move(answer));
}

}  // namespace openarchiver::service

#include "http_types.hpp"

#include <array>

#include "text.hpp"

namespace graph_simulator {

void Headers::set(std::string_view name, std::string value) {
    for (Header& header : list_) {
        if (iequals(header.name, name)) {
            header.value = std::move(value);
            return;
        }
    }
    add(std::string(name), std::move(value));
}

const std::string* Headers::find(std::string_view name) const {
    for (const Header& header : list_) {
        if (iequals(header.name, name))
            return &header.value;
    }
    return nullptr;
}

std::string Headers::joined(std::string_view name) const {
    std::string out;
    for (const Header& header : list_) {
        if (!iequals(header.name, name))
            continue;
        if (!out.empty())
            out += ", ";
        out += header.value;
    }
    return out;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Payload Too Large";
        case 415:
            return "Unsupported Media Type";
        case 423:
            return "Locked";
        case 424:
            return "Failed Dependency";
        case 429:
            return "Too Many Requests";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 507:
            return "Insufficient Storage";
        case 509:
            return "Bandwidth Limit Exceeded";
        default:
            return "Status";
    }
}

std::string drain(BodySource& source) {
    std::string out;
    std::array<char, 65536> buffer{};
    while (const std::size_t got = source.read(buffer.data(), buffer.size())) {
        out.append(buffer.data(), got);
    }
    return out;
}

}  // namespace graph_simulator

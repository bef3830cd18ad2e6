#include "graph/link_guard.hpp"

#include <functional>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

constexpr std::size_t kMaxPages = 1'000'000;

/// A segment that a server would resolve away, plain or percent-encoded.
bool has_dot_segment(std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const std::size_t end = std::min(path.find('/'), path.size());
        std::string plain;
        for (std::size_t i = 0; i < end; ++i) {
            const std::string_view code = path.substr(i, 3);
            if (code == "%2e" || code == "%2E") {
                plain += '.';
                i += 2;
            } else {
                plain += path[i];
            }
        }
        if (plain == "." || plain == "..") {
            return true;
        }
        path.remove_prefix(end);
    }
    return false;
}

}  // namespace

sdk::Result<std::string> follow_link(const Origin& graph, std::string_view link) {
    const auto refuse = [](std::string_view why) {
        return failure(sdk::Errc::internal,
                       "a link of the service was not followed: " + std::string(why));
    };
    if (link.size() > kMaxLinkSize) {
        return refuse("it is too long");
    }
    auto split = split_url(link);
    if (!split) {
        return refuse(split.error().message);
    }
    if (split->origin != graph) {
        return refuse("it leads away from " + graph.url());
    }
    const std::string_view path =
        std::string_view(split->target).substr(0, split->target.find('?'));
    if (!path.starts_with("/v1.0/") || has_dot_segment(path)) {
        return refuse("it leads out of the API's version 1.0");
    }
    return std::move(split->target);
}

sdk::Status WalkGuard::enter(std::string_view link) {
    if (seen_.size() >= kMaxPages || !seen_.insert(std::hash<std::string_view>{}(link)).second) {
        return failure(sdk::Errc::internal,
                       "the service's pages go in circles: the same next page came twice");
    }
    return {};
}

}  // namespace openarchiver::microsoft365

#pragma once

#include <exception>
#include <new>
#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>

namespace openarchiver::sdk {

/// Runs the body of an interface call, which returns a Result or Status: no exception leaves the
/// plugin. `who` is for the message: "the mailfiles provider".
template <typename Body>
auto without_exceptions(std::string_view who, Body body) noexcept -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return Error{.code = Errc::resource_exhausted,
                     .message = std::string(who) + " ran out of memory"};
    } catch (const std::exception& failure) {
        return Error{.code = Errc::internal,
                     .message = std::string(who) + " failed: " + failure.what()};
    }
}

}  // namespace openarchiver::sdk

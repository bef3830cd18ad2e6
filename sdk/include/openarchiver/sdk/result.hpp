#pragma once

#include <cstdlib>
#include <openarchiver/sdk/error.hpp>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

/// `Result<T>`: a value or an Error. A subset of C++23's std::expected, to become an alias of it.
namespace openarchiver::sdk {

template <typename T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit

    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

    template <typename U>
        requires(std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Error> &&
                 !std::is_same_v<std::remove_cvref_t<U>, Result>)
    Result(U&& value)  // NOLINT: implicit, so that a unique_ptr<Derived> can be returned
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}

    [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }

    explicit operator bool() const noexcept { return has_value(); }

    /// Reading the value of a failed result is a defect of the program: it ends at once.
    [[nodiscard]] T& value() & {
        require(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] const T& value() const& {
        require(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] T&& value() && {
        require(has_value());
        return std::move(*std::get_if<0>(&state_));
    }

    [[nodiscard]] T& operator*() & { return value(); }

    [[nodiscard]] const T& operator*() const& { return value(); }

    [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }

    [[nodiscard]] T* operator->() { return &value(); }

    [[nodiscard]] const T* operator->() const { return &value(); }

    [[nodiscard]] Error& error() {
        require(!has_value());
        return *std::get_if<1>(&state_);
    }

    [[nodiscard]] const Error& error() const {
        require(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    static void require(bool condition) {
        if (!condition) {
            std::abort();
        }
    }

    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;

    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

    [[nodiscard]] bool has_value() const noexcept { return !error_.has_value(); }

    explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] Error& error() {
        if (!error_) {
            std::abort();
        }
        return *error_;
    }

    [[nodiscard]] const Error& error() const {
        if (!error_) {
            std::abort();
        }
        return *error_;
    }

private:
    std::optional<Error> error_;
};

/// Success or an Error.
using Status = Result<void>;

}  // namespace openarchiver::sdk

#define OPENARCHIVER_CONCAT_IMPL(a, b) a##b
#define OPENARCHIVER_CONCAT(a, b) OPENARCHIVER_CONCAT_IMPL(a, b)

/// `OPENARCHIVER_TRY(auto name, expression);` declares `name` from the value of a Result, or
/// returns its Error from the enclosing function.
#define OPENARCHIVER_TRY(declaration, ...)                                \
    auto&& OPENARCHIVER_CONCAT(result_, __LINE__) = (__VA_ARGS__);        \
    if (!OPENARCHIVER_CONCAT(result_, __LINE__).has_value()) {            \
        return std::move(OPENARCHIVER_CONCAT(result_, __LINE__).error()); \
    }                                                                     \
    declaration = std::move(OPENARCHIVER_CONCAT(result_, __LINE__)).value()

/// `OPENARCHIVER_CHECK(expression);` returns the Error of a Status (or any Result) to the caller.
#define OPENARCHIVER_CHECK(...)                            \
    do {                                                   \
        auto&& openarchiver_status = (__VA_ARGS__);        \
        if (!openarchiver_status.has_value()) {            \
            return std::move(openarchiver_status.error()); \
        }                                                  \
    } while (false)

#include "signature.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "digest.hpp"
#include "http/origin.hpp"

namespace openarchiver::s3 {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kService = "s3";

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::string scope_of(std::string_view date, std::string_view region) {
    return std::string(date.substr(0, 8)) + "/" + std::string(region) + "/" +
           std::string(kService) + "/aws4_request";
}

Mac signing_key(std::string_view secret, std::string_view date, std::string_view region) {
    const std::string first = "AWS4" + std::string(secret);
    Mac key = hmac_sha256(std::as_bytes(std::span(first)), date.substr(0, 8));
    key = hmac_sha256(key, region);
    key = hmac_sha256(key, kService);
    return hmac_sha256(key, "aws4_request");
}

}  // namespace

std::string encode_path(std::string_view path) {
    std::string encoded;
    while (true) {
        const std::size_t slash = path.find('/');
        encoded += http::percent_encode(path.substr(0, slash));
        if (slash == std::string_view::npos) {
            return encoded;
        }
        encoded += '/';
        path.remove_prefix(slash + 1);
    }
}

std::string encode_query(std::vector<std::pair<std::string, std::string>> query) {
    for (auto& [name, value] : query) {
        name = http::percent_encode(name);
        value = http::percent_encode(value);
    }
    std::ranges::sort(query);
    std::string text;
    for (const auto& [name, value] : query) {
        text += (text.empty() ? "" : "&") + name + "=" + value;
    }
    return text;
}

std::string amz_date(std::chrono::sys_seconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text.data();
}

std::string authorization(const RequestToSign& request, const Credentials& credentials,
                          std::string_view region, std::chrono::sys_seconds time) {
    auto fields = request.fields;
    for (auto& field : fields) {
        field.first = lower(field.first);
    }
    std::ranges::sort(fields);
    std::string canonical = request.method + "\n" + encode_path(request.path) + "\n" +
                            encode_query(request.query) + "\n";
    std::string names;
    for (const auto& [name, value] : fields) {
        canonical += name + ":" + value + "\n";
        names += (names.empty() ? "" : ";") + name;
    }
    canonical += "\n" + names + "\n" + request.payload_sha256;

    const std::string date = amz_date(time);
    const std::string scope = scope_of(date, region);
    const std::string to_sign =
        std::string(kAlgorithm) + "\n" + date + "\n" + scope + "\n" + sha256_hex(canonical);
    const std::string signature =
        to_hex(hmac_sha256(signing_key(credentials.secret_access_key, date, region), to_sign));
    return std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + "/" + scope +
           ",SignedHeaders=" + names + ",Signature=" + signature;
}

}  // namespace openarchiver::s3

#include "documents.hpp"

#include <Poco/Exception.h>
#include <Poco/SAX/DefaultHandler.h>
#include <Poco/SAX/SAXParser.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>

namespace openarchiver::s3 {

namespace {

using sdk::Errc;
using sdk::Error;

/// Tells each element that ends, by its path ("ListBucketResult/Contents/Key"), with its text.
class ElementReader final : public Poco::XML::DefaultHandler {
public:
    using Receiver = std::function<void(std::string_view path, const std::string& text)>;

    explicit ElementReader(Receiver receiver) : receiver_(std::move(receiver)) {}

    void startElement(const Poco::XML::XMLString&, const Poco::XML::XMLString& local_name,
                      const Poco::XML::XMLString&, const Poco::XML::Attributes&) override {
        path_ += (path_.empty() ? "" : "/") + local_name;
        text_.clear();
    }

    void endElement(const Poco::XML::XMLString&, const Poco::XML::XMLString&,
                    const Poco::XML::XMLString&) override {
        receiver_(path_, text_);
        path_.resize(path_.find('/') == std::string::npos ? 0 : path_.rfind('/'));
        text_.clear();
    }

    void characters(const Poco::XML::XMLChar* text, int start, int length) override {
        text_.append(text + start, static_cast<std::size_t>(length));
    }

private:
    Receiver receiver_;
    std::string path_;
    std::string text_;
};

/// False: no well-formed XML.
bool read_elements(std::string_view text, ElementReader::Receiver receiver) {
    ElementReader reader(std::move(receiver));
    try {
        Poco::XML::SAXParser parser;
        parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_GENERAL_ENTITIES, false);
        parser.setFeature(Poco::XML::XMLReader::FEATURE_EXTERNAL_PARAMETER_ENTITIES, false);
        parser.setContentHandler(&reader);
        parser.parseMemoryNP(text.data(), text.size());
        return true;
    } catch (const Poco::Exception&) {
        return false;
    }
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string url_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            decoded += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        } else {
            decoded += text[i] == '+' ? ' ' : text[i];
        }
    }
    return decoded;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc{} && end == text.data() + text.size() ? std::optional(value)
                                                                     : std::nullopt;
}

}  // namespace

std::optional<sdk::Timestamp> parse_time(const std::string& text) {
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    double second = 0;
    if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2d:%2d:%lfZ", &year, &month, &day, &hour, &minute,
                    &second) != 6) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok() || !(second >= 0 && second < 61)) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::milliseconds(static_cast<std::int64_t>(second * 1000));
}

std::string time_text(sdk::Timestamp time) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{seconds - day};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text.data();
}

ErrorDocument parse_error(std::string_view text) {
    ErrorDocument error;
    const bool parsed = read_elements(text, [&](std::string_view path, const std::string& value) {
        if (path == "Error/Code") {
            error.code = value;
        } else if (path == "Error/Message") {
            error.message = value;
        } else if (path == "Error/Region") {
            error.region = value;
        } else if (path == "Error/RequestId") {
            error.request_id = value;
        }
    });
    return parsed ? error : ErrorDocument{};
}

sdk::Result<Listing> parse_listing(std::string_view text) {
    Listing listing;
    sdk::ObjectInfo object;
    bool has_size = false;
    bool has_time = false;
    bool truncated = false;
    bool is_listing = false;
    bool sound = true;
    const bool parsed = read_elements(text, [&](std::string_view path, const std::string& value) {
        constexpr std::string_view kRoot = "ListBucketResult";
        if (path == kRoot) {
            is_listing = true;
        } else if (path == "ListBucketResult/IsTruncated") {
            truncated = value == "true";
        } else if (path == "ListBucketResult/NextContinuationToken") {
            listing.continuation = value;
        } else if (path == "ListBucketResult/Contents/Key") {
            object.key = url_decoded(value);
        } else if (path == "ListBucketResult/Contents/Size") {
            const auto size = number(value);
            has_size = size.has_value();
            object.size = size.value_or(0);
        } else if (path == "ListBucketResult/Contents/LastModified") {
            const auto time = parse_time(value);
            has_time = time.has_value();
            object.modified_at = time.value_or(sdk::Timestamp{});
        } else if (path == "ListBucketResult/Contents") {
            sound = sound && has_size && has_time && !object.key.empty();
            listing.objects.push_back(std::move(object));
            object = {};
            has_size = false;
            has_time = false;
        }
    });
    if (!parsed || !is_listing || !sound || (truncated && listing.continuation.empty())) {
        return Error{Errc::unavailable, "the store's listing is malformed or was cut short"};
    }
    if (!truncated) {
        listing.continuation.clear();
    }
    return listing;
}

sdk::Result<VersionListing> parse_versions(std::string_view text) {
    VersionListing listing;
    Version version;
    bool truncated = false;
    bool is_listing = false;
    bool sound = true;
    const bool parsed = read_elements(text, [&](std::string_view path, const std::string& value) {
        constexpr std::string_view kRoot = "ListVersionsResult";
        is_listing = is_listing || path == kRoot;
        if (!path.starts_with(kRoot) || path.size() == kRoot.size()) {
            return;
        }
        path.remove_prefix(kRoot.size() + 1);
        if (path == "IsTruncated") {
            truncated = value == "true";
        } else if (path == "NextKeyMarker") {
            listing.next_key = url_decoded(value);
        } else if (path == "NextVersionIdMarker") {
            listing.next_id = value;
        } else if (path == "Version/Key" || path == "DeleteMarker/Key") {
            version.key = url_decoded(value);
        } else if (path == "Version/VersionId" || path == "DeleteMarker/VersionId") {
            version.id = value;
        } else if (path == "Version" || path == "DeleteMarker") {
            version.delete_marker = path == "DeleteMarker";
            sound = sound && !version.key.empty() && !version.id.empty();
            listing.versions.push_back(std::move(version));
            version = {};
        }
    });
    if (!parsed || !is_listing || !sound || (truncated && listing.next_key.empty())) {
        return Error{Errc::unavailable,
                     "the store's listing of versions is malformed or was cut short"};
    }
    if (!truncated) {
        listing.next_key.clear();
        listing.next_id.clear();
    }
    return listing;
}

bool has_versions(std::string_view text) {
    bool found = false;
    const bool parsed = read_elements(text, [&](std::string_view path, const std::string& value) {
        found = found || (path == "VersioningConfiguration/Status" && !value.empty());
    });
    return parsed && found;
}

LockConfiguration parse_lock_configuration(std::string_view text) {
    LockConfiguration configuration;
    const bool parsed = read_elements(text, [&](std::string_view path, const std::string& value) {
        if (path == "ObjectLockConfiguration/ObjectLockEnabled") {
            configuration.enabled = value == "Enabled";
        } else if (path == "ObjectLockConfiguration/Rule/DefaultRetention/Mode") {
            configuration.default_retention = !value.empty();
        }
    });
    return parsed ? configuration : LockConfiguration{};
}

std::string retention_document(std::string_view mode, sdk::Timestamp until) {
    return "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>" +
           std::string(mode) + "</Mode><RetainUntilDate>" + time_text(until) +
           "</RetainUntilDate></Retention>";
}

std::string hold_document(bool held) {
    return std::string("<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>") +
           (held ? "ON" : "OFF") + "</Status></LegalHold>";
}

}  // namespace openarchiver::s3

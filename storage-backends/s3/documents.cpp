#include "documents.hpp"

#include <Poco/Exception.h>
#include <Poco/SAX/DefaultHandler.h>
#include <Poco/SAX/SAXParser.h>

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

/// "2009-10-12T17:50:30.000Z"
std::optional<sdk::Timestamp> timestamp(const std::string& text) {
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

}  // namespace

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
            const auto time = timestamp(value);
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

}  // namespace openarchiver::s3

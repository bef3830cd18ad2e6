#include "search/query.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include "search/words.hpp"

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

using Kind = Query::Kind;

constexpr std::size_t kMaxQuery = 8192;
constexpr int kMaxTerms = 500;
constexpr int kMaxDepth = 40;

struct FieldName {
    std::string_view name;
    std::vector<Field> fields;
};

const std::array<FieldName, 8>& field_names() {
    static const std::array<FieldName, 8> names{{
        {"from", {Field::from}},
        {"to", {Field::to}},
        {"cc", {Field::cc}},
        {"bcc", {Field::bcc}},
        {"participant", {Field::from, Field::to, Field::cc, Field::bcc}},
        {"subject", {Field::subject}},
        {"filename", {Field::filename}},
        {"body", {Field::body}},
    }};
    return names;
}

constexpr std::array<std::pair<std::string_view, Kind>, 8> kFilters{{
    {"has", Kind::has_attachment},
    {"larger", Kind::larger},
    {"before", Kind::before},
    {"after", Kind::after},
    {"folder", Kind::folder},
    {"account", Kind::account},
    {"source", Kind::source},
    {"message-id", Kind::message_id},
}};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return result;
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::optional<int> digits(std::string_view text) {
    int value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// YYYY, YYYY-MM or YYYY-MM-DD, also with slashes: when it begins, UTC.
std::optional<std::int64_t> day(std::string text) {
    std::ranges::replace(text, '/', '-');
    std::array<int, 3> numbers{0, 1, 1};
    std::string_view rest = text;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto end = rest.find('-');
        const auto number = digits(rest.substr(0, end));
        if (!number || (i == 0 && rest.substr(0, end).size() != 4)) {
            return std::nullopt;
        }
        numbers.at(i) = *number;
        if (end == std::string_view::npos) {
            rest = {};
            break;
        }
        rest.remove_prefix(end + 1);
        if (i == 2) {
            return std::nullopt;
        }
    }
    const std::chrono::year_month_day date{std::chrono::year(numbers[0]),
                                           std::chrono::month(static_cast<unsigned>(numbers[1])),
                                           std::chrono::day(static_cast<unsigned>(numbers[2]))};
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::sys_days(date).time_since_epoch())
        .count();
}

/// "1000", "20k", "5M", "1G"
std::optional<std::int64_t> bytes(std::string_view text) {
    std::int64_t unit = 1;
    if (!text.empty() && (text.back() == 'b' || text.back() == 'B')) {
        text.remove_suffix(1);
    }
    if (!text.empty()) {
        switch (text.back()) {
            case 'k':
            case 'K':
                unit = std::int64_t{1} << 10;
                break;
            case 'm':
            case 'M':
                unit = std::int64_t{1} << 20;
                break;
            case 'g':
            case 'G':
                unit = std::int64_t{1} << 30;
                break;
            default:
                break;
        }
        if (unit != 1) {
            text.remove_suffix(1);
        }
    }
    const auto number = digits(text);
    return number && *number >= 0 ? std::optional(*number * unit) : std::nullopt;
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Query> whole() {
        if (text_.size() > kMaxQuery) {
            return error(0, "the query is longer than " + std::to_string(kMaxQuery) + " bytes");
        }
        skip_blanks();
        if (at_ == text_.size()) {
            return Query{};
        }
        OPENARCHIVER_TRY(Query query, any({}, 0));
        if (at_ < text_.size()) {
            return error(at_, "there is no parenthesis that this one closes");
        }
        return query;
    }

private:
    using Fields = std::vector<Field>;

    [[nodiscard]] std::size_t position(std::size_t at) const {
        return 1 + static_cast<std::size_t>(std::ranges::count_if(
                       text_.substr(0, at), [](char c) { return (c & 0xC0) != 0x80; }));
    }

    [[nodiscard]] Error error(std::size_t at, const std::string& what) const {
        return {Errc::invalid_argument,
                "the query is wrong at character " + std::to_string(position(at)) + ": " + what};
    }

    void skip_blanks() {
        while (at_ < text_.size() && is_blank(text_[at_])) {
            ++at_;
        }
    }

    /// Takes the operator, written in capitals as a word of its own.
    bool take_operator(std::string_view name) {
        skip_blanks();
        const auto rest = text_.substr(at_);
        if (!rest.starts_with(name)) {
            return false;
        }
        const auto after = rest.substr(name.size());
        if (!after.empty() && !is_blank(after.front()) && after.front() != '(' &&
            after.front() != ')') {
            return false;
        }
        at_ += name.size();
        skip_blanks();
        return true;
    }

    static Query joined(Kind kind, std::vector<Query> parts) {
        if (parts.size() == 1) {
            return std::move(parts.front());
        }
        return {.kind = kind, .parts = std::move(parts)};
    }

    Result<Query> any(const Fields& fields, int depth) {
        std::vector<Query> parts;
        do {
            OPENARCHIVER_TRY(Query part, all(fields, depth));
            parts.push_back(std::move(part));
        } while (take_operator("OR"));
        return joined(Kind::any_of, std::move(parts));
    }

    Result<Query> all(const Fields& fields, int depth) {
        std::vector<Query> parts;
        while (true) {
            OPENARCHIVER_TRY(Query part, one(fields, depth));
            parts.push_back(std::move(part));
            if (take_operator("AND")) {
                continue;
            }
            skip_blanks();
            const auto before = at_;
            const bool over = at_ == text_.size() || text_[at_] == ')' || take_operator("OR");
            at_ = before;
            if (over) {
                return joined(Kind::all_of, std::move(parts));
            }
        }
    }

    Result<Query> one(const Fields& fields, int depth) {
        skip_blanks();
        const auto begin = at_;
        if (depth > kMaxDepth) {
            return error(begin, "it is nested too deeply");
        }
        if (at_ == text_.size()) {
            return error(begin, "something to search for is missing here");
        }
        const bool minus = text_[at_] == '-';
        at_ += minus ? 1 : 0;
        if (minus || take_operator("NOT")) {
            if (at_ == text_.size() || is_blank(text_[at_])) {
                return error(begin, "what is not wanted has to follow here");
            }
            OPENARCHIVER_TRY(Query part, one(fields, depth + 1));
            Query query{.kind = Kind::none_of, .position = position(begin)};
            query.parts.push_back(std::move(part));
            return query;
        }
        if (text_[at_] == '(') {
            return group(fields, depth);
        }
        if (text_[at_] == ')') {
            return error(begin, "something to search for is missing before the parenthesis");
        }
        if (take_operator("OR") || take_operator("AND")) {
            return error(begin,
                         "something to search for is missing before it; in quotes it is a "
                         "word");
        }
        return term(fields, depth);
    }

    Result<Query> group(const Fields& fields, int depth) {
        const auto begin = at_++;
        OPENARCHIVER_TRY(Query query, any(fields, depth + 1));
        skip_blanks();
        if (at_ == text_.size()) {
            return error(begin, "this parenthesis is not closed");
        }
        ++at_;
        return query;
    }

    Result<Query> term(const Fields& fields, int depth) {
        const auto begin = at_;
        if (++terms_ > kMaxTerms) {
            return error(begin, "it has more than " + std::to_string(kMaxTerms) + " terms");
        }
        // A name and a colon; "12:30" and "http://…" are words.
        std::size_t end = at_;
        while (end < text_.size() &&
               ((text_[end] >= 'a' && text_[end] <= 'z') ||
                (text_[end] >= 'A' && text_[end] <= 'Z') || text_[end] == '-')) {
            ++end;
        }
        if (end > at_ && end < text_.size() && text_[end] == ':' &&
            !text_.substr(end).starts_with("://")) {
            const auto name = lower(text_.substr(at_, end - at_));
            at_ = end + 1;
            return named(name, begin, depth);
        }
        return words(fields, begin);
    }

    Result<Query> named(const std::string& name, std::size_t begin, int depth) {
        const auto& names = field_names();
        const auto* const field = std::ranges::find(names, name, &FieldName::name);
        if (field != names.end()) {
            if (at_ < text_.size() && text_[at_] == '(') {
                return group(field->fields, depth + 1);
            }
            return words(field->fields, begin);
        }
        const auto* const filter = std::ranges::find(kFilters, std::string_view(name),
                                                     &decltype(kFilters)::value_type::first);
        if (filter == kFilters.end()) {
            std::string known;
            for (const auto& each : names) {
                known += std::string(each.name) + ": ";
            }
            for (const auto& each : kFilters) {
                known += std::string(each.first) + ": ";
            }
            known.pop_back();
            return error(begin, "there is no \"" + name + ":\" (there are " + known +
                                    "); in quotes it is a word");
        }
        const auto value_at = at_;
        OPENARCHIVER_TRY(const std::string text, value());
        Query query{.kind = filter->second, .text = text, .position = position(begin)};
        if (text.empty()) {
            return error(value_at, "a value has to follow the colon at once");
        }
        switch (query.kind) {
            case Kind::has_attachment:
                if (lower(text) != "attachment") {
                    return error(value_at, "only \"has:attachment\" can be asked for");
                }
                break;
            case Kind::larger: {
                const auto size = bytes(text);
                if (!size) {
                    return error(value_at, "a size is wanted: 500k, 5M, 1G or bytes");
                }
                query.number = *size;
                break;
            }
            case Kind::before:
            case Kind::after: {
                const auto time = day(text);
                if (!time) {
                    return error(value_at, "a day is wanted: 2024-05-31, 2024-05 or 2024");
                }
                query.number = *time;
                break;
            }
            case Kind::message_id:
                if (query.text.starts_with('<')) {
                    query.text.erase(0, 1);
                }
                if (query.text.ends_with('>')) {
                    query.text.pop_back();
                }
                break;
            default:
                break;
        }
        return query;
    }

    /// In quotes, or up to a blank or parenthesis.
    Result<std::string> value() {
        if (at_ < text_.size() && text_[at_] == '"') {
            const auto begin = at_;
            const auto end = text_.find('"', begin + 1);
            if (end == std::string_view::npos) {
                return error(begin, "this quotation is not closed");
            }
            at_ = end + 1;
            return std::string(text_.substr(begin + 1, end - begin - 1));
        }
        const auto begin = at_;
        while (at_ < text_.size() && !is_blank(text_[at_]) && text_[at_] != '(' &&
               text_[at_] != ')' && text_[at_] != '"') {
            ++at_;
        }
        return std::string(text_.substr(begin, at_ - begin));
    }

    Result<Query> words(const Fields& fields, std::size_t begin) {
        const auto value_at = at_;
        OPENARCHIVER_TRY(std::string text, value());
        bool prefix = text.ends_with('*');
        if (at_ < text_.size() && text_[at_] == '*' && text_[at_ - 1] == '"') {
            prefix = true;
            ++at_;
        }
        Query query = words_query(text, fields, prefix);
        if (query.words.empty()) {
            return error(value_at, text.empty()
                                       ? "something to search for has to follow the colon at once"
                                       : "\"" + text + "\" has neither letters nor digits");
        }
        // One letter would be the beginning of a good part of all words.
        if (prefix && query.words.back().size() < 2) {
            return error(value_at, "at least two letters or digits have to stand before the '*'");
        }
        query.position = position(begin);
        return query;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int terms_ = 0;
};

}  // namespace

Result<Query> parse_query(std::string_view text) {
    return Parser(text).whole();
}

Query words_query(std::string_view text, std::vector<Field> fields, bool prefix) {
    Query query{.kind = Kind::words, .fields = std::move(fields), .prefix = prefix};
    for_each_word(text, WordsOf::query, [&](const Word& word) {
        query.words.emplace_back(word.folded);
        // A character alone is the beginning of pairs.
        query.prefix = prefix || word.single;
        return true;
    });
    return query;
}

}  // namespace openarchiver::search

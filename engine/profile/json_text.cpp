#include "profile/json_text.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <set>

namespace openarchiver::profile {

namespace {

namespace json = boost::json;

/// Follows the events of the parser for what a parsed value no longer tells: keys that occur twice.
class DuplicateKeys {
public:
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);

    [[nodiscard]] const std::vector<std::string>& pointers() const noexcept { return pointers_; }

    bool on_document_begin(json::error_code&) { return true; }

    bool on_document_end(json::error_code&) { return true; }

    bool on_array_begin(json::error_code&) { return enter(Kind::array); }

    bool on_array_end(std::size_t, json::error_code&) { return leave(); }

    bool on_object_begin(json::error_code&) { return enter(Kind::object); }

    bool on_object_end(std::size_t, json::error_code&) { return leave(); }

    bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }

    bool on_string(json::string_view, std::size_t, json::error_code&) { return scalar(); }

    bool on_number_part(json::string_view, json::error_code&) { return true; }

    bool on_int64(std::int64_t, json::string_view, json::error_code&) { return scalar(); }

    bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return scalar(); }

    bool on_double(double, json::string_view, json::error_code&) { return scalar(); }

    bool on_bool(bool, json::error_code&) { return scalar(); }

    bool on_null(json::error_code&) { return scalar(); }

    bool on_comment_part(json::string_view, json::error_code&) { return true; }

    bool on_comment(json::string_view, json::error_code&) { return true; }

    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        key_.append(part.data(), part.size());
        return true;
    }

    bool on_key(json::string_view part, std::size_t, json::error_code&) {
        key_.append(part.data(), part.size());
        Level& level = levels_.back();
        level.current = child_pointer(level.pointer, key_);
        if (!level.keys.insert(key_).second) {
            pointers_.push_back(level.current);
        }
        key_.clear();
        return true;
    }

private:
    enum class Kind : std::uint8_t { array, object };

    struct Level {
        Kind kind;
        std::string pointer;
        std::string current;  // pointer of the value that comes next; objects only
        std::size_t index = 0;
        std::set<std::string, std::less<>> keys;
    };

    bool enter(Kind kind) {
        std::string pointer;
        if (!levels_.empty()) {
            const Level& parent = levels_.back();
            pointer = parent.kind == Kind::object ? parent.current
                                                  : child_pointer(parent.pointer, parent.index);
        }
        levels_.push_back({kind, std::move(pointer), {}, 0, {}});
        return true;
    }

    bool leave() {
        levels_.pop_back();
        return scalar();
    }

    bool scalar() {
        if (!levels_.empty()) {
            ++levels_.back().index;
        }
        return true;
    }

    std::vector<Level> levels_;
    std::string key_;
    std::vector<std::string> pointers_;
};

Problem syntax_problem(std::string_view text, std::size_t offset, const json::error_code& error) {
    offset = std::min(offset, text.size());
    const std::string_view before = text.substr(0, offset);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t line_start =
        before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    Problem problem;
    problem.message = "not valid JSON at line " + std::to_string(line) + ", column " +
                      std::to_string(offset - line_start + 1) + ": " + error.message();

    const char at = offset < text.size() ? text[offset] : '\0';
    const std::size_t last = before.find_last_not_of(" \t\r\n");
    const char previous = last == std::string_view::npos ? '\0' : before[last];
    if (text.starts_with("\xEF\xBB\xBF")) {
        problem.suggestion = "save the file as UTF-8 without a byte order mark";
    } else if (error == json::error::incomplete) {
        problem.suggestion =
            "the file ends too early: a closing bracket, brace or quote is missing";
    } else if (error == json::error::too_deep) {
        problem.suggestion = "a profile is at most 32 levels deep";
    } else if ((at == '}' || at == ']') && previous == ',') {
        problem.suggestion =
            "remove the comma before the closing " + std::string(at == '}' ? "brace" : "bracket");
    } else if (at == '/' || at == '#') {
        problem.suggestion = "JSON has no comments: remove it";
    } else if (at == '\'') {
        problem.suggestion = "use double quotes";
    } else if (at == '"') {
        problem.suggestion = "is a comma missing before it?";
    }
    return problem;
}

}  // namespace

std::string child_pointer(std::string_view pointer, std::string_view key) {
    std::string child(pointer);
    child += '/';
    for (const char c : key) {
        if (c == '~') {
            child += "~0";
        } else if (c == '/') {
            child += "~1";
        } else {
            child += c;
        }
    }
    return child;
}

std::string child_pointer(std::string_view pointer, std::size_t index) {
    return std::string(pointer) + '/' + std::to_string(index);
}

std::optional<json::value> parse_json(std::string_view text, std::vector<Problem>& problems) {
    json::basic_parser<DuplicateKeys> events{json::parse_options{}};
    json::error_code error;
    const std::size_t consumed = events.write_some(false, text.data(), text.size(), error);
    if (!error && text.find_first_not_of(" \t\r\n", consumed) != std::string_view::npos) {
        error = json::error::extra_data;
    }
    if (error) {
        problems.push_back(syntax_problem(text, consumed, error));
        return std::nullopt;
    }
    for (const std::string& pointer : events.handler().pointers()) {
        problems.push_back(
            {pointer, "the key occurs twice", "remove one of the two", Severity::error});
    }
    json::value value = json::parse({text.data(), text.size()}, error);
    if (error) {
        problems.push_back(syntax_problem(text, text.size(), error));
        return std::nullopt;
    }
    return value;
}

}  // namespace openarchiver::profile

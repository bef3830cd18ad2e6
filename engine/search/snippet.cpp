#include "search/snippet.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "search/words.hpp"

namespace openarchiver::search {

namespace {

constexpr std::size_t kLength = 200;         // bytes of text shown
constexpr std::size_t kBefore = 60;          // ... before what was found
constexpr std::size_t kLooked = 512U << 10;  // bytes of a field that are looked through
constexpr std::array kPreferred{Field::body,    Field::attachment, Field::filename,
                                Field::subject, Field::from,       Field::to};

bool searched_in(const Query& query, Field field) {
    return query.fields.empty() || std::ranges::find(query.fields, field) != query.fields.end();
}

/// Follows phrases through a text.
class Finder {
public:
    Finder(const std::vector<Query>& words, Field field) {
        for (const auto& query : words) {
            if (searched_in(query, field)) {
                queries_.push_back(&query);
            }
        }
        progress_.resize(queries_.size(), 0);
    }

    [[nodiscard]] bool anything() const { return !queries_.empty(); }

    struct Place {
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    /// Where the first phrase that is there as a whole begins.
    std::optional<std::size_t> first(std::string_view text) {
        std::optional<std::size_t> found;
        begins_.assign(queries_.size(), 0);
        for_each_word(text, WordsOf::text, [&](const Word& word) {
            for (std::size_t i = 0; i < queries_.size() && !found; ++i) {
                if (advance(i, word)) {
                    found = begins_[i];
                }
            }
            return !found;
        });
        return found;
    }

    /// Words of the phrases.
    [[nodiscard]] bool has(const Word& word) const {
        return std::ranges::any_of(queries_, [&](const Query* query) {
            for (std::size_t i = 0; i < query->words.size(); ++i) {
                const bool last = i + 1 == query->words.size();
                if (word.folded == query->words[i] ||
                    (last && query->prefix && word.folded.starts_with(query->words[i]))) {
                    return true;
                }
            }
            return false;
        });
    }

private:
    bool advance(std::size_t index, const Word& word) {
        const Query& query = *queries_[index];
        auto& at = progress_[index];
        const auto fits = [&](std::size_t i) {
            const bool last = i + 1 == query.words.size();
            return word.folded == query.words[i] ||
                   (last && query.prefix && word.folded.starts_with(query.words[i]));
        };
        if (!fits(at)) {
            if (word.same_place) {
                return false;
            }
            at = 0;
            if (!fits(0)) {
                return false;
            }
        }
        if (at == 0) {
            begins_[index] = word.begin;
        }
        ++at;
        if (at < query.words.size()) {
            return false;
        }
        at = 0;
        return true;
    }

    std::vector<const Query*> queries_;
    std::vector<std::size_t> progress_;
    std::vector<std::size_t> begins_;
};

/// Not within a character.
std::size_t boundary(std::string_view text, std::size_t at) {
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80) {
        ++at;
    }
    return std::min(at, text.size());
}

/// One line; blanks that follow one another become one.
std::string in_one_line(std::string_view text) {
    std::string line;
    for (const char c : text) {
        const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7F';
        if (!blank) {
            line += c;
        } else if (!line.empty() && line.back() != ' ') {
            line += ' ';
        }
    }
    return line;
}

Snippet shown(std::string_view text, std::size_t around, const Finder* finder) {
    std::size_t begin = around > kBefore ? around - kBefore : 0;
    if (begin > 0) {
        const auto blank = text.find_first_of(" \n\t", begin);
        begin = boundary(text, blank < around ? blank + 1 : begin);
    }
    const auto end = boundary(text, std::min(text.size(), begin + kLength));
    Snippet snippet;
    snippet.text = in_one_line(text.substr(begin, end - begin));
    if (begin > 0) {
        snippet.text.insert(0, "\xE2\x80\xA6 ");
    }
    if (end < text.size()) {
        snippet.text += " \xE2\x80\xA6";
    }
    if (finder != nullptr) {
        for_each_word(snippet.text, WordsOf::text, [&](const Word& word) {
            if (!finder->has(word)) {
                return true;
            }
            auto& highlights = snippet.highlights;
            if (!highlights.empty() && word.begin <= highlights.back().second) {
                highlights.back().second = std::max(highlights.back().second, word.end);
            } else {
                highlights.emplace_back(word.begin, word.end);
            }
            return true;
        });
    }
    return snippet;
}

}  // namespace

Snippet make_snippet(const Document& document, const std::vector<Query>& words) {
    for (const Field field : kPreferred) {
        Finder finder(words, field);
        const std::string_view text = std::string_view(document[field]).substr(0, kLooked);
        if (!finder.anything() || text.empty()) {
            continue;
        }
        if (const auto found = finder.first(text)) {
            return shown(text, *found, &finder);
        }
    }
    const Finder finder(words, Field::body);
    return shown(std::string_view(document[Field::body]).substr(0, kLooked), 0, &finder);
}

}  // namespace openarchiver::search

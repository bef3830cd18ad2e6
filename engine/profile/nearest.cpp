#include "profile/nearest.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

namespace openarchiver::profile {

namespace {

/// Longer words are not compared: nobody mistypes them into a key.
constexpr std::size_t kMaxWord = 64;

char folded(char c) {
    if (c >= 'A' && c <= 'Z') {
        return static_cast<char>(c - 'A' + 'a');
    }
    return c == '-' ? '_' : c;
}

/// Levenshtein distance; case and the choice of - or _ don't count.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t above = row[j + 1];
            const std::size_t changed = diagonal + (folded(a[i]) == folded(b[j]) ? 0U : 1U);
            row[j + 1] = std::min({above + 1, row[j] + 1, changed});
            diagonal = above;
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string> candidates) {
    std::string_view best;
    std::size_t fewest = std::numeric_limits<std::size_t>::max();
    for (const std::string& candidate : candidates) {
        if (word.size() > kMaxWord || candidate.size() > kMaxWord) {
            continue;
        }
        const std::size_t edits = distance(word, candidate);
        const std::size_t allowed = std::max<std::size_t>(1, candidate.size() / 3);
        if (edits <= allowed && edits < fewest) {
            best = candidate;
            fewest = edits;
        }
    }
    return best;
}

}  // namespace openarchiver::profile

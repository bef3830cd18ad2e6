#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "catalog/item_filter.hpp"
#include "search/query.hpp"
#include "search/snippet.hpp"

/// Full-text search over the archive (docs/search.md).
namespace openarchiver::search {

/// What is searched for. Everything given has to fit.
struct Request {
    std::string query;  ///< in the query language
    catalog::ItemFilter filter = {};
    std::string recipient = {};  ///< words of To, Cc or Bcc
    bool has_attachment = false;
    std::string conversation = {};  ///< ref of one of its items
};

/// What a search could not see. Coverage is never silent.
struct Coverage {
    /// Versions in scope (accounts, sources, times, folders) with a gap, by its reason.
    std::map<GapReason, std::uint64_t> gaps;
    /// Versions of the accounts in scope that are in the archive and not in the index.
    std::uint64_t not_yet_indexed = 0;
};

struct Hit {
    catalog::VersionRecord version;
    Snippet snippet;
    bool has_attachment = false;
    /// The ref of the oldest item that is connected with this one by References.
    std::string conversation;
};

struct Page {
    std::vector<Hit> hits;
    bool more = false;     ///< there are others behind them
    bool partial = false;  ///< by relevance: only the newest kRanked were ranked
};

inline constexpr std::uint64_t kRanked = 50'000;

enum class Order : std::uint8_t { newest_first, relevance };

struct Counts {
    std::uint64_t total = 0;
    std::map<std::string, std::uint64_t> sources;
    std::map<std::pair<std::string, std::string>, std::uint64_t> accounts;  ///< source, id
    std::map<int, std::uint64_t> years;
};

/// A version with what could not be searched of it.
struct Unsearched {
    catalog::VersionRecord version;
    std::vector<Gap> gaps;  ///< none: not yet indexed
};

/// A version of an item as catalog and index know it.
struct VersionKey {
    std::int64_t item_key = 0;
    std::int64_t version = 0;

    auto operator<=>(const VersionKey&) const = default;
};

/// One search. Reads beside whoever writes the index. Used by one thread.
class Search {
public:
    /// `catalog` outlives the search. invalid_argument: the query is wrong, or names an account,
    /// a source or a folder that there is not.
    static sdk::Result<std::unique_ptr<Search>> open(const std::filesystem::path& catalog_folder,
                                                     catalog::CatalogReader& catalog,
                                                     const Request& request);
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;

    sdk::Result<Page> page(Order order, std::uint64_t offset, std::uint64_t limit);
    sdk::Result<Counts> counts();
    /// All versions that fit, in no order.
    sdk::Result<std::vector<VersionKey>> versions(std::stop_token stop);

    /// All versions in scope, whether they fit or not, that could be searched whole; in no order.
    sdk::Result<std::vector<VersionKey>> searched(std::stop_token stop);

    sdk::Result<Coverage> coverage();
    /// The versions behind coverage(), the newest first.
    sdk::Result<std::vector<Unsearched>> unsearched(std::uint64_t offset, std::uint64_t limit);

private:
    struct State;
    explicit Search(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::search

#include "verify/outcome.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "catalog/iso_time.hpp"
#include "files/shared_file.hpp"

namespace openarchiver::verify {

namespace json = boost::json;

namespace {

constexpr std::string_view kFull = "full";
/// Only a verification against a kept head sees what such a one saw.
constexpr std::string_view kWithHead = " with head";
constexpr std::size_t kMostBytes = 4096;

std::filesystem::path outcome_file(const std::filesystem::path& catalog_folder) {
    return catalog_folder / "verify.json";
}

std::string scope_of(const Options& options) {
    std::string scope(options.quick ? "quick" : kFull);
    if (options.part) {
        scope =
            "part " + std::to_string(options.part->number) + "/" + std::to_string(options.part->of);
    }
    return scope + std::string(options.kept_head ? kWithHead : "");
}

/// Whether what was found in `found` would show in `scope`, too.
bool covers(std::string_view scope, std::string_view found) {
    return scope == found || scope == std::string(kFull) + std::string(kWithHead) ||
           (scope == kFull && !found.ends_with(kWithHead));
}

std::string_view scope_in(const json::value& damage) {
    const auto* const object = damage.if_object();
    const auto* const scope = object != nullptr ? object->if_contains("scope") : nullptr;
    return scope != nullptr && scope->is_string() ? std::string_view(scope->get_string())
                                                  : std::string_view();
}

}  // namespace

sdk::Status record_outcome(const Options& options, const sdk::Result<Report>& outcome,
                           sdk::Timestamp now) {
    if (!outcome && outcome.error().code != sdk::Errc::corrupt) {
        return {};  // nothing was found out
    }
    const auto findings =
        outcome ? std::ranges::count_if(outcome->findings,
                                        [](const Finding& one) { return is_damage(one.kind); })
                : 1;
    const std::string scope = scope_of(options);
    const json::object last{{"at", catalog::iso_time(now)},
                            {"scope", scope},
                            {"damaged", findings > 0},
                            {"findings", findings}};
    json::value damage = nullptr;
    if (findings > 0) {
        damage = last;
    } else if (const json::value known = read_outcome(options.catalog_folder); known.is_object()) {
        damage = known.at("damage");
        if (covers(scope, scope_in(damage))) {
            damage = nullptr;
        }
    }
    return files::replace_file(
        outcome_file(options.catalog_folder),
        json::serialize(json::object{{"last", last}, {"damage", std::move(damage)}}) + "\n",
        files::Readers::everyone);
}

json::value read_outcome(const std::filesystem::path& catalog_folder) {
    std::ifstream stream(outcome_file(catalog_folder), std::ios::binary);
    std::string text(kMostBytes, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
    json::error_code broken;
    json::value document = json::parse(text, broken);
    const auto* const object = broken ? nullptr : document.if_object();
    return object != nullptr && object->contains("last") && object->contains("damage")
               ? std::move(document)
               : json::value();
}

}  // namespace openarchiver::verify

#include "access/kept_sources.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "access/secret_sealing.hpp"

namespace openarchiver::access {

namespace json = boost::json;
using plugin::SecretReference;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

Result<profile::Source> source_of(const catalog::KeptSource& kept) {
    const Error unreadable{Errc::corrupt, "the source \"" + kept.defined.source +
                                              "\", made through the API, can't be read: make it "
                                              "anew, or use the engine that made it"};
    json::error_code code;
    const json::value value = json::parse(kept.defined.definition, code);
    const json::object* const object = code ? nullptr : value.if_object();
    if (object == nullptr) {
        return unreadable;
    }
    const auto text = [&](std::string_view name) {
        const json::value* const member = object->if_contains(name);
        return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                        : std::string();
    };
    const auto seconds = [&](std::string_view name, std::chrono::seconds fallback) {
        const json::value* const member = object->if_contains(name);
        return member != nullptr && member->is_int64() && member->get_int64() > 0
                   ? std::chrono::seconds(member->get_int64())
                   : fallback;
    };
    profile::Source source;
    source.id = kept.defined.source;
    source.name = text("name");
    source.provider = text("provider");
    source.every = seconds("every", source.every);
    source.reconcile_every = seconds("reconcile_every", source.reconcile_every);
    source.from_api = true;
    const json::value* const config = object->if_contains("config");
    if (config == nullptr || !config->is_object() || source.provider.empty()) {
        return unreadable;
    }
    source.config_json = json::serialize(*config);
    for (const auto& [pointer, sealed] : kept.defined.secrets) {
        source.secrets.emplace(pointer, SecretReference{SecretReference::Kind::sealed, sealed});
    }
    return source;
}

}  // namespace

Result<catalog::SourceDefined> keep_source(const profile::Source& source, std::string by,
                                           plugin::SecretVault& vault) {
    catalog::SourceDefined kept{.source = source.id, .by = std::move(by)};
    kept.definition =
        json::serialize(json::object{{"name", source.name},
                                     {"provider", source.provider},
                                     {"config", json::parse(source.config_json)},
                                     {"every", source.every.count()},
                                     {"reconcile_every", source.reconcile_every.count()}});
    for (const auto& [pointer, reference] : source.secrets) {
        if (reference.kind == SecretReference::Kind::sealed) {
            kept.secrets.emplace_back(pointer, reference.value);
            continue;
        }
        OPENARCHIVER_TRY(const std::string secret, plugin::resolve(reference));
        OPENARCHIVER_TRY(std::string sealed, vault.seal(secret));
        kept.secrets.emplace_back(pointer, std::move(sealed));
    }
    return kept;
}

Status take_kept_sources(profile::Profile& profile, catalog::CatalogReader& catalog) {
    auto& sources = profile.sources;
    Status status;
    std::erase_if(sources, [](const profile::Source& source) { return source.from_api; });
    if (profile.service.api_sources) {
        OPENARCHIVER_TRY(const auto kept, catalog.kept_sources());
        for (const catalog::KeptSource& one : kept) {
            if (std::ranges::find(sources, one.defined.source, &profile::Source::id) !=
                sources.end()) {
                continue;
            }
            if (auto source = source_of(one)) {
                sources.push_back(std::move(*source));
            } else {
                status = source.error();
            }
        }
    }
    OPENARCHIVER_TRY(const auto paused, catalog.paused_sources());
    for (profile::Source& source : sources) {
        const auto found = std::ranges::find(paused, source.id, &catalog::PausedSource::id);
        source.paused_by = found == paused.end() ? std::nullopt : std::optional(found->by);
    }
    return status;
}

Result<std::unique_ptr<plugin::SecretVault>> open_vault(const Context& context,
                                                        std::stop_token stop) {
    OPENARCHIVER_TRY(const auto reader, ArchiveReader::open(context, std::move(stop)));
    return std::unique_ptr<plugin::SecretVault>(std::make_unique<plugin::FileSecretVault>(
        context.profile.archive.catalog_path / "secrets",
        secret_sealing(reader->archive().keyring().archive_key().key)));
}

}  // namespace openarchiver::access

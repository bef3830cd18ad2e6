#include "service/reload.hpp"

#include <algorithm>

namespace openarchiver::service {

namespace {

bool same_config(const profile::PluginConfig& a, const profile::PluginConfig& b) {
    return a.config_json == b.config_json && a.secrets == b.secrets;
}

bool same_storage(const profile::Archive& a, const profile::Archive& b) {
    return a.storage.backend == b.storage.backend && same_config(a.storage, b.storage) &&
           a.free_space_floor == b.free_space_floor;
}

bool same_evidence(const profile::Evidence& a, const profile::Evidence& b) {
    const auto& x = a.timestamp_authority;
    const auto& y = b.timestamp_authority;
    return a.head_every == b.head_every && a.publish_to == b.publish_to &&
           x.has_value() == y.has_value() &&
           (!x || (x->url == y->url && x->ca_file == y->ca_file && x->every == y->every));
}

bool same_encryption(const profile::Encryption& a, const profile::Encryption& b) {
    return a.mode == b.mode && a.key.kind == b.key.kind && a.key.passphrase == b.key.passphrase &&
           a.key.value == b.key.value;
}

}  // namespace

bool same_source(const profile::Source& a, const profile::Source& b) {
    return a.id == b.id && a.name == b.name && a.provider == b.provider && a.every == b.every &&
           a.reconcile_every == b.reconcile_every && same_config(a, b);
}

std::vector<std::string> reasons_to_restart(const profile::Profile& current,
                                            const profile::Profile& next,
                                            const plugin::PluginHost& plugins) {
    std::vector<std::string> reasons;
    if (!same_storage(current.archive, next.archive)) {
        reasons.emplace_back("/archive/storage (or the free space floor) has changed");
    }
    if (current.archive.catalog_path != next.archive.catalog_path) {
        reasons.emplace_back("/archive/catalog has changed");
    }
    if (!same_encryption(current.archive.encryption, next.archive.encryption)) {
        reasons.emplace_back("/archive/encryption has changed");
    }
    if (!same_evidence(current.archive.evidence, next.archive.evidence)) {
        reasons.emplace_back("/archive/evidence has changed");
    }
    if (current.archive.search.enabled != next.archive.search.enabled ||
        current.archive.search.attachments != next.archive.search.attachments) {
        reasons.emplace_back("/archive/search has changed");
    }
    if (current.plugins != next.plugins) {
        reasons.emplace_back("/plugins has changed");
    }
    if (current.service.host != next.service.host || current.service.port != next.service.port) {
        reasons.emplace_back("/service/listen has changed");
    }
    if (current.service.public_url != next.service.public_url) {
        reasons.emplace_back("/service/public_url has changed");
    }
    for (const plugin::LoadedPlugin& loaded : plugins.loaded()) {
        if (plugin::identity_of(loaded.file) != loaded.identity) {
            reasons.push_back("the file of the plugin \"" + loaded.info.id + "\", " +
                              loaded.file.string() + ", is another one than the one loaded");
        }
    }
    return reasons;
}

}  // namespace openarchiver::service

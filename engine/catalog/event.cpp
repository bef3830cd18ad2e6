#include "catalog/event.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "archive/random.hpp"
#include "catalog/properties.hpp"
#include "evidence/disposal_statement.hpp"

namespace openarchiver::catalog {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::string_view kAccountStates[] = {"available", "without_mailbox", "excluded",
                                               "closed_by_policy", "deleted_upstream"};
constexpr std::string_view kFidelities[] = {"exact", "reconstructed"};
constexpr std::string_view kScopes[] = {"accounts", "folders", "folder"};
constexpr std::string_view kCauses[] = {"retention", "forget"};

template <typename Enum, std::size_t N>
Enum enum_from(std::string_view text, const std::string_view (&names)[N], Enum fallback) {
    const auto found = std::find(std::begin(names), std::end(names), text);
    return found == std::end(names) ? fallback : static_cast<Enum>(found - std::begin(names));
}

std::int64_t millis(sdk::Timestamp time) {
    return time.time_since_epoch().count();
}

sdk::Timestamp timestamp(std::int64_t value) {
    return sdk::Timestamp(std::chrono::milliseconds(value));
}

std::string key_hex(const archive::KeyId& id) {
    return archive::to_hex(id);
}

/// RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const unsigned lead = byte(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) {
            return false;
        }
        for (std::size_t k = 1; k < length; ++k) {
            if ((byte(i + k) & 0xC0) != 0x80) {
                return false;
            }
        }
        const unsigned second = byte(i + 1);
        if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
            (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
            return false;
        }
        i += length;
    }
    return true;
}

/// Ids and texts come from services and may hold bytes that are not UTF-8; cursors are opaque.
/// JSON text can't carry those, so they are written as base16 under another name.
void put_bytes(json::object& object, std::string_view name, std::string_view value) {
    if (is_utf8(value)) {
        object[name] = value;
    } else {
        object[std::string(name) + "_hex"] =
            archive::to_hex(std::as_bytes(std::span(value.data(), value.size())));
    }
}

void put_texts(json::object& object, std::string_view name,
               const std::vector<std::string>& values) {
    if (!values.empty()) {
        object[name] = json::array(values.begin(), values.end());
    }
}

int nibble(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Result<std::string> bytes_from_hex(std::string_view hex) {
    std::string bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = nibble(hex[i]);
        const int low = nibble(hex[i + 1]);
        if (high < 0 || low < 0) {
            return Error{Errc::corrupt, "an event holds malformed base16"};
        }
        bytes.push_back(static_cast<char>(high * 16 + low));
    }
    return bytes;
}

/// Reads members leniently by kind; a missing one has its default.
class Reader {
public:
    explicit Reader(const json::object& object) : object_(object) {}

    [[nodiscard]] std::string text(std::string_view name) const {
        if (const auto* value = object_.if_contains(name); value != nullptr && value->is_string()) {
            return std::string(value->get_string());
        }
        if (const auto* value = object_.if_contains(std::string(name) + "_hex");
            value != nullptr && value->is_string()) {
            auto bytes = bytes_from_hex(value->get_string());
            return bytes ? std::move(*bytes) : std::string();
        }
        return {};
    }

    [[nodiscard]] std::int64_t number(std::string_view name) const {
        const auto* value = object_.if_contains(name);
        return value != nullptr ? as_number(*value) : 0;
    }

    [[nodiscard]] std::uint64_t size(std::string_view name) const {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(number(name), 0));
    }

    [[nodiscard]] bool flag(std::string_view name, bool fallback) const {
        const auto* value = object_.if_contains(name);
        return value != nullptr && value->is_bool() ? value->get_bool() : fallback;
    }

    [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }

    [[nodiscard]] std::optional<sdk::Timestamp> time(std::string_view name) const {
        return has(name) ? std::optional(timestamp(number(name))) : std::nullopt;
    }

    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const {
        std::vector<std::string> values;
        if (const auto* list = array(name); list != nullptr) {
            for (const json::value& value : *list) {
                if (value.is_string()) {
                    values.emplace_back(value.get_string());
                }
            }
        }
        return values;
    }

    [[nodiscard]] const json::array* array(std::string_view name) const {
        const auto* value = object_.if_contains(name);
        return value != nullptr ? value->if_array() : nullptr;
    }

    [[nodiscard]] const json::object* object(std::string_view name) const {
        const auto* value = object_.if_contains(name);
        return value != nullptr ? value->if_object() : nullptr;
    }

    static std::int64_t as_number(const json::value& value) {
        if (value.is_int64()) {
            return value.get_int64();
        }
        return value.is_uint64() ? static_cast<std::int64_t>(value.get_uint64()) : 0;
    }

private:
    const json::object& object_;
};

struct Writer {
    json::object& out;

    void operator()(const SourceSeen& e) const {
        out["e"] = "source";
        out["name"] = e.name;
        out["provider"] = e.provider;
    }

    void operator()(const AccountSeen& e) const {
        out["e"] = "account";
        put_bytes(out, "address", e.address);
        put_bytes(out, "name", e.display_name);
        out["state"] = kAccountStates[static_cast<std::size_t>(e.state)];
        put_bytes(out, "reason", e.reason);
    }

    void operator()(const FolderSeen& e) const {
        out["e"] = "folder";
        put_bytes(out, "id", e.folder.id);
        put_bytes(out, "parent", e.folder.parent_id);
        put_bytes(out, "name", e.folder.display_name);
        put_bytes(out, "well_known", e.folder.well_known_name);
        out["hidden"] = e.folder.hidden;
        out["archived"] = e.folder.archived;
    }

    void operator()(const FolderRemoved& e) const {
        out["e"] = "folder_removed";
        put_bytes(out, "id", e.folder);
    }

    void operator()(const PackStored& e) const {
        out["e"] = "pack";
        out["id"] = archive::to_hex(e.pack.id);
        out["size"] = e.pack.size;
        json::array frames;
        frames.reserve(e.pack.frames.size());
        for (const auto& frame : e.pack.frames) {
            frames.push_back(
                json::array{key_hex(frame.key), frame.offset, frame.stored_size, frame.raw_size});
        }
        out["frames"] = std::move(frames);
        put_moves("replaces", e.replaces);
        put_moves("takes", e.takes);
    }

    void put_moves(std::string_view name, const std::vector<ReplacedPack>& packs) const {
        if (packs.empty()) {
            return;
        }
        json::array list;
        list.reserve(packs.size());
        for (const auto& pack : packs) {
            json::array moved;
            moved.reserve(pack.moved.size());
            for (const auto& [from, to] : pack.moved) {
                moved.push_back(json::array{from.frame, from.offset, to.frame, to.offset});
            }
            list.push_back(json::array{archive::to_hex(pack.id), std::move(moved)});
        }
        out[name] = std::move(list);
    }

    void operator()(const PackDropped& e) const {
        out["e"] = "pack_dropped";
        out["id"] = archive::to_hex(e.id);
    }

    void operator()(const ItemArchived& e) const {
        out["e"] = "item";
        put_bytes(out, "id", e.item);
        put_bytes(out, "tag", e.content_tag);
        put_bytes(out, "media_type", e.media_type);
        put_bytes(out, "folder", e.folder);
        out["content"] = archive::to_hex(e.content);
        out["size"] = e.size;
        out["pack"] = archive::to_hex(e.place.pack);
        out["frame"] = e.place.placement.frame;
        out["offset"] = e.place.placement.offset;
        if (e.place.composition_size > 0) {
            out["composition"] = e.place.composition_size;
            json::array parts;
            parts.reserve(e.place.parts.size());
            for (const auto& part : e.place.parts) {
                parts.push_back(json::array{archive::to_hex(part.id), part.size, key_hex(part.key),
                                            archive::to_hex(part.wrapped),
                                            archive::to_hex(part.pack), part.frame});
            }
            out["parts"] = std::move(parts);
        }
        if (e.received_at) {
            out["received_at"] = millis(*e.received_at);
        }
        put_bytes(out, "message_id", e.message_id);
        put_bytes(out, "subject", e.subject);
        put_bytes(out, "from", e.from);
        if (!e.properties.empty()) {
            put_bytes(out, "properties", e.properties);
        }
        out["fidelity"] = kFidelities[static_cast<std::size_t>(e.fidelity)];
        out["leaf"] = e.leaf;
        out["salt"] = archive::to_hex(e.salt);
    }

    void operator()(const LeavesAdded& e) const {
        out["e"] = "leaves";
        json::string hashes;
        for (const auto& hash : e.hashes) {
            hashes += archive::to_hex(hash);
        }
        out["hashes"] = std::move(hashes);
    }

    void operator()(const ItemPlaced& e) const {
        out["e"] = "placed";
        put_bytes(out, "id", e.item);
        put_bytes(out, "folder", e.folder);
    }

    void operator()(const ItemLeft& e) const {
        out["e"] = "left";
        put_bytes(out, "id", e.item);
        put_bytes(out, "folder", e.folder);
    }

    void operator()(const ItemFailed& e) const {
        out["e"] = "failed";
        put_bytes(out, "id", e.item.id);
        put_bytes(out, "tag", e.item.content_tag);
        put_bytes(out, "media_type", e.item.media_type);
        if (e.item.received_at) {
            out["received_at"] = millis(*e.item.received_at);
        }
        if (!e.item.title.empty()) {
            put_bytes(out, "title", e.item.title);
        }
        if (!e.item.properties.empty()) {
            put_bytes(out, "properties", properties_text(e.item.properties));
        }
        put_bytes(out, "folder", e.folder);
        out["code"] = sdk::to_string(e.error.code);
        put_bytes(out, "message", e.error.message);
        put_bytes(out, "service_code", e.error.service_code);
        put_bytes(out, "request_id", e.error.request_id);
    }

    void operator()(const FailureSettled& e) const {
        out["e"] = "settled";
        put_bytes(out, "id", e.item);
        out["accepted"] = e.accepted;
    }

    void operator()(const CursorAdvanced& e) const {
        out["e"] = "cursor";
        out["scope"] = kScopes[static_cast<std::size_t>(e.scope)];
        if (e.scope == CursorScope::folder) {
            put_bytes(out, "folder", e.folder);
        }
        if (e.cursor) {
            out["format"] = e.cursor->format;
            put_bytes(out, "value", e.cursor->value);
        }
    }

    void operator()(const PassCompleted&) const { out["e"] = "pass"; }

    void operator()(const HoldPlaced& e) const {
        out["e"] = "hold";
        out["id"] = e.id;
        put_bytes(out, "matter", e.matter);
        put_bytes(out, "reason", e.reason);
        put_bytes(out, "by", e.by);
        put_texts(out, "sources", e.scope.sources);
        put_texts(out, "accounts", e.scope.accounts);
        put_texts(out, "account_ids", e.account_ids);
        put_texts(out, "folders", e.scope.folders);
        put_texts(out, "folder_ids", e.folder_ids);
        put_bytes(out, "sender", e.scope.sender);
        put_bytes(out, "query", e.query);
        if (e.scope.since) {
            out["since"] = millis(*e.scope.since);
        }
        if (e.scope.until) {
            out["until"] = millis(*e.scope.until);
        }
    }

    void operator()(const HoldReleased& e) const {
        out["e"] = "hold_released";
        out["id"] = e.id;
        put_bytes(out, "reason", e.reason);
        put_bytes(out, "by", e.by);
    }

    void operator()(const AccountForgotten& e) const {
        out["e"] = "forgotten";
        put_bytes(out, "source", e.source);
        put_bytes(out, "account", e.account);
        put_bytes(out, "reason", e.reason);
        put_bytes(out, "by", e.by);
        out["key"] = key_hex(e.key);
    }

    void operator()(const RetentionApproved& e) const {
        out["e"] = "retention_approved";
        put_bytes(out, "definition", e.definition);
        put_bytes(out, "by", e.by);
    }

    void operator()(const Disposal& e) const {
        out["e"] = "disposal";
        out["id"] = e.id;
        out["cause"] = kCauses[static_cast<std::size_t>(e.cause)];
        out["policy"] = e.policy;
        put_bytes(out, "reason", e.reason);
        put_bytes(out, "by", e.by);
        put_texts(out, "refs", e.refs);
        out["versions"] = e.versions;
        out["bytes"] = e.bytes;
        out["leaf"] = e.leaf;
        out["salt"] = archive::to_hex(e.salt);
    }

    void operator()(const ItemsDisposed& e) const {
        out["e"] = "disposed";
        out["disposal"] = e.disposal;
        json::array items;
        items.reserve(e.items.size());
        for (const auto& item : e.items) {
            json::object one;
            put_bytes(one, "id", item.id);
            one["versions"] = item.versions;
            items.push_back(std::move(one));
        }
        out["items"] = std::move(items);
    }

    void operator()(const SourceDefined& e) const {
        out["e"] = "source_defined";
        out["source"] = e.source;
        out["definition"] = e.definition;
        json::object secrets;
        for (const auto& [pointer, sealed] : e.secrets) {
            secrets[pointer] =
                archive::to_hex(std::as_bytes(std::span(sealed.data(), sealed.size())));
        }
        out["secrets"] = std::move(secrets);
        put_bytes(out, "by", e.by);
    }

    void operator()(const SourceRemoved& e) const {
        out["e"] = "source_removed";
        out["source"] = e.source;
        put_bytes(out, "by", e.by);
    }

    void operator()(const SourcePaused& e) const {
        out["e"] = "source_paused";
        out["source"] = e.source;
        out["paused"] = e.paused;
        put_bytes(out, "by", e.by);
    }

    void operator()(const Audited& e) const {
        out["e"] = "audited";
        out["id"] = e.id;
        put_bytes(out, "by", e.by);
        out["role"] = e.role;
        out["action"] = e.action;
        put_bytes(out, "object", e.object);
        put_bytes(out, "detail", e.detail);
    }
};

sdk::Errc errc_from(std::string_view name) {
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        if (to_string(static_cast<Errc>(code)) == name) {
            return static_cast<Errc>(code);
        }
    }
    return Errc::internal;
}

template <std::size_t N>
Result<std::array<std::byte, N>> array_from(const json::value& value) {
    if (!value.is_string()) {
        return Error{Errc::corrupt, "an event has something else where base16 should be"};
    }
    OPENARCHIVER_TRY(const std::string bytes, bytes_from_hex(value.get_string()));
    std::array<std::byte, N> array{};
    if (bytes.size() != N) {
        return Error{Errc::corrupt, "an event has base16 of a wrong length"};
    }
    std::transform(bytes.begin(), bytes.end(), array.begin(),
                   [](char c) { return static_cast<std::byte>(c); });
    return array;
}

Result<archive::PackInfo> read_pack(const Reader& in) {
    archive::PackInfo pack;
    OPENARCHIVER_TRY(pack.id, archive::digest_from_hex(in.text("id")));
    pack.size = in.size("size");
    const auto* frames = in.array("frames");
    if (frames == nullptr) {
        return Error{Errc::corrupt, "a pack event has no frames"};
    }
    for (const auto& entry : *frames) {
        const auto* fields = entry.if_array();
        if (fields == nullptr || fields->size() < 4) {
            return Error{Errc::corrupt, "a pack event has a malformed frame"};
        }
        archive::Frame frame;
        OPENARCHIVER_TRY(frame.key, array_from<16>((*fields)[0]));
        frame.offset = static_cast<std::uint64_t>(Reader::as_number((*fields)[1]));
        frame.stored_size = static_cast<std::uint64_t>(Reader::as_number((*fields)[2]));
        frame.raw_size = static_cast<std::uint64_t>(Reader::as_number((*fields)[3]));
        pack.frames.push_back(frame);
    }
    return pack;
}

Result<std::vector<ReplacedPack>> read_moves(const json::array& list) {
    std::vector<ReplacedPack> packs;
    for (const auto& entry : list) {
        const auto* fields = entry.if_array();
        const auto* moved =
            fields != nullptr && fields->size() >= 2 ? (*fields)[1].if_array() : nullptr;
        if (moved == nullptr) {
            return Error{Errc::corrupt, "a pack event has a malformed replaced pack"};
        }
        ReplacedPack pack;
        OPENARCHIVER_TRY(pack.id, array_from<32>((*fields)[0]));
        for (const auto& value : *moved) {
            const auto* places = value.if_array();
            if (places == nullptr || places->size() < 4) {
                return Error{Errc::corrupt, "a pack event has a malformed move"};
            }
            const auto place = [&](std::size_t at) {
                return archive::Placement{
                    static_cast<std::uint32_t>(Reader::as_number((*places)[at])),
                    static_cast<std::uint64_t>(Reader::as_number((*places)[at + 1]))};
            };
            pack.moved.push_back({place(0), place(2)});
        }
        packs.push_back(std::move(pack));
    }
    return packs;
}

Result<std::vector<PartHeld>> read_parts(const json::array& list) {
    std::vector<PartHeld> parts;
    for (const auto& entry : list) {
        const auto* fields = entry.if_array();
        if (fields == nullptr || fields->size() < 6) {
            return Error{Errc::corrupt, "an item event has a malformed part"};
        }
        PartHeld part;
        OPENARCHIVER_TRY(part.id, array_from<32>((*fields)[0]));
        part.size = static_cast<std::uint64_t>(Reader::as_number((*fields)[1]));
        OPENARCHIVER_TRY(part.key, array_from<16>((*fields)[2]));
        OPENARCHIVER_TRY(part.wrapped, array_from<48>((*fields)[3]));
        OPENARCHIVER_TRY(part.pack, array_from<32>((*fields)[4]));
        part.frame = static_cast<std::uint32_t>(Reader::as_number((*fields)[5]));
        parts.push_back(part);
    }
    return parts;
}

Result<evidence::LeafSalt> read_salt(const Reader& in) {
    return array_from<std::tuple_size_v<evidence::LeafSalt>>(json::value(in.text("salt")));
}

Result<ItemArchived> read_item(const Reader& in) {
    ItemArchived e;
    e.item = in.text("id");
    e.content_tag = in.text("tag");
    e.media_type = in.text("media_type");
    e.folder = in.text("folder");
    OPENARCHIVER_TRY(e.content, archive::digest_from_hex(in.text("content")));
    e.size = in.size("size");
    OPENARCHIVER_TRY(e.place.pack, archive::digest_from_hex(in.text("pack")));
    e.place.placement.frame = static_cast<std::uint32_t>(in.number("frame"));
    e.place.placement.offset = in.size("offset");
    e.place.composition_size = in.size("composition");
    if (const auto* parts = in.array("parts"); parts != nullptr) {
        OPENARCHIVER_TRY(e.place.parts, read_parts(*parts));
    }
    e.received_at = in.time("received_at");
    e.message_id = in.text("message_id");
    e.subject = in.text("subject");
    e.from = in.text("from");
    e.properties = in.text("properties");
    e.fidelity = enum_from(in.text("fidelity"), kFidelities, Fidelity::exact);
    e.leaf = static_cast<std::uint32_t>(in.number("leaf"));
    OPENARCHIVER_TRY(e.salt, read_salt(in));
    return e;
}

Result<LeavesAdded> read_leaves(const Reader& in) {
    constexpr std::size_t kDigits = 64;
    LeavesAdded e;
    const std::string hashes = in.text("hashes");
    for (std::size_t at = 0; at < hashes.size(); at += kDigits) {
        OPENARCHIVER_TRY(e.hashes.emplace_back(),
                         archive::digest_from_hex(std::string_view(hashes).substr(at, kDigits)));
    }
    return e;
}

/// What people did through the API, or on the command line.
Result<std::optional<EventBody>> read_act(std::string_view kind, const Reader& in) {
    using Body = std::optional<EventBody>;
    if (kind == "source_defined") {
        SourceDefined e{.source = in.text("source"),
                        .definition = in.text("definition"),
                        .secrets = {},
                        .by = in.text("by")};
        if (const auto* secrets = in.object("secrets"); secrets != nullptr) {
            for (const auto& [pointer, hex] : *secrets) {
                if (!hex.is_string()) {
                    return Error{Errc::corrupt, "a source event has a malformed secret"};
                }
                OPENARCHIVER_TRY(std::string sealed, bytes_from_hex(hex.get_string()));
                e.secrets.emplace_back(pointer, std::move(sealed));
            }
        }
        return Body(std::move(e));
    }
    if (kind == "source_removed") {
        return Body(SourceRemoved{in.text("source"), in.text("by")});
    }
    if (kind == "source_paused") {
        return Body(SourcePaused{
            .source = in.text("source"), .paused = in.flag("paused", true), .by = in.text("by")});
    }
    if (kind == "audited") {
        return Body(Audited{.id = in.text("id"),
                            .by = in.text("by"),
                            .role = in.text("role"),
                            .action = in.text("action"),
                            .object = in.text("object"),
                            .detail = in.text("detail")});
    }
    return Body();
}

/// Approvals of policies, and what is disposed of by them.
Result<std::optional<EventBody>> read_disposal(std::string_view kind, const Reader& in) {
    using Body = std::optional<EventBody>;
    if (kind == "retention_approved") {
        return Body(RetentionApproved{in.text("definition"), in.text("by")});
    }
    if (kind == "disposal") {
        OPENARCHIVER_TRY(const auto salt, read_salt(in));
        return Body(
            Disposal{.id = in.text("id"),
                     .cause = enum_from(in.text("cause"), kCauses, DisposalCause::retention),
                     .policy = in.text("policy"),
                     .reason = in.text("reason"),
                     .by = in.text("by"),
                     .refs = in.texts("refs"),
                     .versions = in.size("versions"),
                     .bytes = in.size("bytes"),
                     .salt = salt,
                     .leaf = static_cast<std::uint32_t>(in.number("leaf"))});
    }
    if (kind == "disposed") {
        ItemsDisposed e{.disposal = in.text("disposal"), .items = {}};
        if (const auto* items = in.array("items"); items != nullptr) {
            for (const json::value& value : *items) {
                if (const auto* object = value.if_object(); object != nullptr) {
                    const Reader item(*object);
                    e.items.push_back({item.text("id"), item.size("versions")});
                }
            }
        }
        return Body(std::move(e));
    }
    return Body();
}

/// nullopt: an event of a kind that this engine does not know.
Result<std::optional<EventBody>> read_body(std::string_view kind, const Reader& in) {
    using Body = std::optional<EventBody>;
    if (kind == "item") {
        OPENARCHIVER_TRY(auto item, read_item(in));
        return Body(std::move(item));
    }
    if (kind == "leaves") {
        OPENARCHIVER_TRY(auto leaves, read_leaves(in));
        return Body(std::move(leaves));
    }
    if (kind == "placed") {
        return Body(ItemPlaced{in.text("id"), in.text("folder")});
    }
    if (kind == "left") {
        return Body(ItemLeft{in.text("id"), in.text("folder")});
    }
    if (kind == "cursor") {
        CursorAdvanced e;
        e.scope = enum_from(in.text("scope"), kScopes, CursorScope::folder);
        e.folder = in.text("folder");
        if (in.has("format")) {
            e.cursor =
                sdk::Cursor{static_cast<std::uint32_t>(in.number("format")), in.text("value")};
        }
        return Body(std::move(e));
    }
    if (kind == "pack") {
        OPENARCHIVER_TRY(auto pack, read_pack(in));
        PackStored e{.pack = std::move(pack)};
        if (const auto* replaces = in.array("replaces"); replaces != nullptr) {
            OPENARCHIVER_TRY(e.replaces, read_moves(*replaces));
        }
        if (const auto* takes = in.array("takes"); takes != nullptr) {
            OPENARCHIVER_TRY(e.takes, read_moves(*takes));
        }
        return Body(std::move(e));
    }
    if (kind == "pack_dropped") {
        OPENARCHIVER_TRY(const auto id, archive::digest_from_hex(in.text("id")));
        return Body(PackDropped{id});
    }
    if (kind == "folder") {
        FolderSeen e;
        e.folder.id = in.text("id");
        e.folder.parent_id = in.text("parent");
        e.folder.display_name = in.text("name");
        e.folder.well_known_name = in.text("well_known");
        e.folder.hidden = in.flag("hidden", false);
        e.folder.archived = in.flag("archived", true);
        return Body(std::move(e));
    }
    if (kind == "folder_removed") {
        return Body(FolderRemoved{in.text("id")});
    }
    if (kind == "account") {
        return Body(
            AccountSeen{in.text("address"), in.text("name"),
                        enum_from(in.text("state"), kAccountStates, sdk::AccountState::available),
                        in.text("reason")});
    }
    if (kind == "source") {
        return Body(SourceSeen{in.text("name"), in.text("provider")});
    }
    if (kind == "failed") {
        ItemFailed e;
        e.item.id = in.text("id");
        e.item.content_tag = in.text("tag");
        e.item.media_type = in.text("media_type");
        e.item.received_at = in.time("received_at");
        e.item.title = in.text("title");
        e.item.properties = properties_from(in.text("properties"));
        e.folder = in.text("folder");
        e.error.code = errc_from(in.text("code"));
        e.error.message = in.text("message");
        e.error.service_code = in.text("service_code");
        e.error.request_id = in.text("request_id");
        return Body(std::move(e));
    }
    if (kind == "settled") {
        return Body(FailureSettled{in.text("id"), in.flag("accepted", false)});
    }
    if (kind == "pass") {
        return Body(PassCompleted{});
    }
    if (kind == "hold") {
        return Body(HoldPlaced{.id = in.text("id"),
                               .matter = in.text("matter"),
                               .reason = in.text("reason"),
                               .scope = {.sources = in.texts("sources"),
                                         .accounts = in.texts("accounts"),
                                         .folders = in.texts("folders"),
                                         .sender = in.text("sender"),
                                         .since = in.time("since"),
                                         .until = in.time("until")},
                               .account_ids = in.texts("account_ids"),
                               .folder_ids = in.texts("folder_ids"),
                               .query = in.text("query"),
                               .by = in.text("by")});
    }
    if (kind == "hold_released") {
        return Body(HoldReleased{in.text("id"), in.text("reason"), in.text("by")});
    }
    if (kind == "forgotten") {
        OPENARCHIVER_TRY(const auto key, array_from<16>(json::value(in.text("key"))));
        return Body(AccountForgotten{in.text("source"), in.text("account"), in.text("reason"),
                                     in.text("by"), key});
    }
    OPENARCHIVER_TRY(auto act, read_act(kind, in));
    return act ? std::move(act) : read_disposal(kind, in);
}

}  // namespace

std::string statement_of(std::string_view archive_id, const EventGroup& group, sdk::Timestamp at,
                         const ItemArchived& item) {
    return evidence::to_text({.archive_id = std::string(archive_id),
                              .source = group.source,
                              .account = group.account,
                              .item = item.item,
                              .media_type = item.media_type,
                              .content = item.content,
                              .size = item.size,
                              .received_at = item.received_at,
                              .archived_at = at,
                              .exact = item.fidelity == Fidelity::exact});
}

std::string statement_of(std::string_view archive_id, sdk::Timestamp at, const Disposal& disposal) {
    return evidence::to_text(evidence::DisposalStatement{
        .archive_id = std::string(archive_id),
        .disposal = disposal.id,
        .cause = std::string(kCauses[static_cast<std::size_t>(disposal.cause)]),
        .policy = disposal.policy,
        .reason = disposal.reason,
        .by = disposal.by,
        .items = disposal.refs.size(),
        .versions = disposal.versions,
        .bytes = disposal.bytes,
        .refs = evidence::digest_of_refs(disposal.refs),
        .disposed_at = at});
}

LeavesAdded add_leaves(std::string_view archive_id, std::vector<EventGroup>& groups) {
    LeavesAdded leaves;
    for (auto& group : groups) {
        for (auto& event : group.events) {
            const auto add = [&](auto& body, const std::string& statement) {
                body.salt = archive::random_bytes<std::tuple_size_v<evidence::LeafSalt>>();
                body.leaf = static_cast<std::uint32_t>(leaves.hashes.size());
                leaves.hashes.push_back(evidence::commitment(body.salt, statement));
            };
            if (auto* item = std::get_if<ItemArchived>(&event.body)) {
                add(*item, statement_of(archive_id, group, event.at, *item));
            } else if (auto* disposal = std::get_if<Disposal>(&event.body)) {
                add(*disposal, statement_of(archive_id, event.at, *disposal));
            }
        }
    }
    return leaves;
}

std::string encode(const EventGroup& group) {
    std::string lines;
    json::object head;
    head["e"] = "of";
    put_bytes(head, "source", group.source);
    put_bytes(head, "account", group.account);
    lines += json::serialize(head);
    lines += '\n';
    for (const auto& event : group.events) {
        json::object object;
        std::visit(Writer{object}, event.body);
        object["at"] = millis(event.at);
        lines += json::serialize(object);
        lines += '\n';
    }
    return lines;
}

Result<EventGroup> decode(std::string_view lines) {
    EventGroup group;
    bool headed = false;
    std::array<unsigned char, 16384> buffer;  // most events need no other memory
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        const auto line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (line.empty()) {
            continue;
        }
        json::monotonic_resource memory(buffer.data(), buffer.size());
        json::error_code code;
        const json::value value = json::parse(line, code, &memory);
        if (code) {
            return Error{Errc::corrupt, "an event is not JSON: " + code.message()};
        }
        const auto* object = value.if_object();
        if (object == nullptr) {
            return Error{Errc::corrupt, "an event is not a JSON object"};
        }
        const Reader in(*object);
        const std::string kind = in.text("e");
        if (!headed) {
            if (kind != "of") {
                return Error{Errc::corrupt, "a block of events does not say whose they are"};
            }
            group.source = in.text("source");
            group.account = in.text("account");
            headed = true;
            continue;
        }
        OPENARCHIVER_TRY(auto body, read_body(kind, in));
        if (body) {
            group.events.push_back({timestamp(in.number("at")), std::move(*body)});
        }
    }
    if (!headed) {
        return Error{Errc::corrupt, "a block of events is empty"};
    }
    return group;
}

}  // namespace openarchiver::catalog

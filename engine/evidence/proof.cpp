#include "evidence/proof.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "evidence/text.hpp"

namespace openarchiver::evidence {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr int kFormat = 1;

std::string body_of(const Proof& proof) {
    json::array path;
    for (const auto& hash : proof.path) {
        path.emplace_back(archive::to_hex(hash));
    }
    json::object document;
    document["openarchiver_proof"] = kFormat;
    document["statement"] = proof.statement;
    document["salt"] = archive::to_hex(proof.salt);
    document["leaf"] = proof.leaf;
    document["path"] = std::move(path);
    document["head"] = proof.head;
    document["public_key"] = archive::to_pem(proof.public_key);
    document["timestamp"] = nullptr;
    if (!proof.timestamp.empty()) {
        document["timestamp"] =
            to_base64(std::as_bytes(std::span(proof.timestamp.data(), proof.timestamp.size())));
    }
    return json::serialize(document);
}

Error malformed(std::string_view what) {
    return {Errc::corrupt, "this is no proof, or a damaged one: " + std::string(what)};
}

std::string text_in(const json::object& document, std::string_view name) {
    const json::value* const value = document.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

}  // namespace

/// The checksum tells a byte that was damaged where no signature covers it (within a timestamp
/// whose authority is not checked).
std::string to_json(const Proof& proof) {
    std::string text = body_of(proof);
    const std::string checksum = archive::to_hex(archive::sha256(text));
    text.pop_back();
    return text + R"(,"checksum":")" + checksum + "\"}\n";
}

Result<Proof> parse_proof(std::string_view json_text) {
    json::error_code error;
    const json::value parsed = json::parse(json_text, error);
    const json::object* const document = error ? nullptr : parsed.if_object();
    if (document == nullptr) {
        return malformed("it is not a JSON object");
    }
    if (const json::value* const format = document->if_contains("openarchiver_proof");
        format == nullptr || !format->is_int64() || format->get_int64() != kFormat) {
        return malformed("it has no \"openarchiver_proof\": " + std::to_string(kFormat));
    }
    Proof proof;
    proof.statement = text_in(*document, "statement");
    proof.head = text_in(*document, "head");
    const std::string salt = text_in(*document, "salt");
    // As a digest with a half of zeros: there is one reader of hexadecimal digits.
    const auto padded = archive::digest_from_hex(salt + std::string(32, '0'));
    const json::value* const leaf = document->if_contains("leaf");
    const json::value* const path = document->if_contains("path");
    const auto key = archive::public_key_from_pem(text_in(*document, "public_key"));
    if (!padded || leaf == nullptr || !leaf->is_int64() || leaf->get_int64() < 0 ||
        path == nullptr || !path->is_array() || !key) {
        return malformed("a member is missing or malformed");
    }
    std::copy_n(padded->begin(), proof.salt.size(), proof.salt.begin());
    proof.leaf = static_cast<std::uint64_t>(leaf->get_int64());
    proof.public_key = *key;
    for (const json::value& entry : path->get_array()) {
        const auto hash = archive::digest_from_hex(
            entry.is_string() ? std::string_view(entry.get_string()) : std::string_view());
        if (!hash) {
            return malformed("its path is malformed");
        }
        proof.path.push_back(*hash);
    }
    if (const std::string timestamp = text_in(*document, "timestamp"); !timestamp.empty()) {
        const auto bytes = from_base64(timestamp);
        if (!bytes) {
            return malformed("its timestamp is not base64");
        }
        proof.timestamp.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    if (to_json(proof) != json_text) {
        return malformed("its checksum or its form is another one than it was written with");
    }
    return proof;
}

Result<Proven> check(const Proof& proof, const archive::PublicKey& key,
                     const std::optional<std::filesystem::path>& ca_file) {
    Proven proven;
    OPENARCHIVER_TRY(proven.head, open_head(proof.head, key));
    const auto take = [&](auto statement) -> sdk::Status {
        if (!statement) {
            return Error{Errc::corrupt, statement.error().message};
        }
        if (statement->archive_id != proven.head.archive_id) {
            return Error{Errc::corrupt, "the statement is of archive " + statement->archive_id +
                                            ", and the head of archive " + proven.head.archive_id};
        }
        proven.statement = std::move(*statement);
        return {};
    };
    OPENARCHIVER_CHECK(is_disposal_statement(proof.statement)
                           ? take(parse_disposal_statement(proof.statement))
                           : take(parse_statement(proof.statement)));
    const auto root = root_by_path(commitment(proof.salt, proof.statement), proof.leaf,
                                   proven.head.size, proof.path);
    if (!root || *root != proven.head.root) {
        return Error{
            Errc::corrupt,
            "the statement is not in the tree that the head signs: the statement, its salt, "
            "its place or its path was changed"};
    }
    if (proof.timestamp.empty()) {
        return proven;
    }
    const Digest digest = archive::sha256(proof.head);
    OPENARCHIVER_TRY(proven.timestamp, ca_file ? check_kept(proof.timestamp, digest, *ca_file)
                                               : read_kept(proof.timestamp, digest));
    proven.timestamp_trusted = ca_file.has_value();
    return proven;
}

}  // namespace openarchiver::evidence

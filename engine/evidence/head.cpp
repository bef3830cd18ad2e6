#include "evidence/head.hpp"

#include <algorithm>
#include <optional>

#include "evidence/text.hpp"

namespace openarchiver::evidence {

using archive::PublicKey;
using archive::Signature;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::string_view kOrigin = "openarchiver/";
// An em dash, as C2SP signed-note has it.
constexpr std::string_view kSignatureMark = "\u2014 ";
// C2SP signed-note: the type of Ed25519 signatures, and of their keys.
constexpr std::byte kEd25519{1};

Error malformed(std::string_view what) {
    return {Errc::invalid_argument, "this is no signed head: " + std::string(what)};
}

std::string origin_of(const Head& head) {
    return std::string(kOrigin) + head.archive_id;
}

/// C2SP signed-note, "Signatures": the first four bytes of SHA-256(name, LF, type, key).
std::string key_id(std::string_view name, const PublicKey& key) {
    archive::Sha256 hash;
    hash.update(std::as_bytes(std::span(name.data(), name.size())));
    hash.update(std::array{std::byte{'\n'}, kEd25519});
    hash.update(key);
    const Digest digest = hash.finish();
    return {reinterpret_cast<const char*>(digest.data()), 4};
}

std::string body_of(const Head& head) {
    std::string text = origin_of(head) + "\n" + std::to_string(head.size) + "\n" +
                       to_base64(head.root) + "\n" + "head " + std::to_string(head.number) + "\n" +
                       "time " + time_text(head.time) + "\n" + "previous " +
                       archive::to_hex(head.previous) + "\n" + "keyring " +
                       std::to_string(head.keyring_generation) + "\n";
    for (const auto& [writer, position] : head.positions) {
        text += "log " + writer + " " + std::to_string(position.sequence) + " " +
                archive::to_hex(position.digest) + "\n";
    }
    return text;
}

std::string signature_line(std::string_view name, const PublicKey& key,
                           const Signature& signature) {
    const std::string id = key_id(name, key);
    std::vector<std::byte> bytes;
    std::ranges::transform(id, std::back_inserter(bytes),
                           [](char c) { return static_cast<std::byte>(c); });
    bytes.insert(bytes.end(), signature.begin(), signature.end());
    return std::string(kSignatureMark) + std::string(name) + " " + to_base64(bytes) + "\n";
}

/// The text that is signed, and what follows the empty line behind it.
std::optional<std::pair<std::string_view, std::string_view>> split(std::string_view note) {
    const auto end = note.find("\n\n");
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    return std::pair(note.substr(0, end + 1), note.substr(end + 2));
}

std::optional<std::pair<std::string, archive::LogPosition>> position_of(std::string_view line) {
    const auto first = line.find(' ');
    const auto second = line.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
        return std::nullopt;
    }
    const auto sequence = number_from(line.substr(first + 1, second - first - 1));
    const auto digest = archive::digest_from_hex(line.substr(second + 1));
    if (!sequence || !digest) {
        return std::nullopt;
    }
    return std::pair(std::string(line.substr(0, first)),
                     archive::LogPosition{.sequence = *sequence, .digest = *digest});
}

}  // namespace

std::string sign_head(const Head& head, const archive::SecretKey& key) {
    const std::string body = body_of(head);
    return body + "\n" +
           signature_line(origin_of(head), archive::public_key_of(key), archive::sign(key, body));
}

Result<Head> parse_head(std::string_view note) {
    const auto parts = split(note);
    if (!parts) {
        return malformed("it has no signature");
    }
    auto rest = parts->first;
    Head head;
    const auto origin = take_line(rest).value_or("");
    if (!origin.starts_with(kOrigin)) {
        return malformed("its first line does not name an archive");
    }
    head.archive_id = origin.substr(kOrigin.size());
    const auto size = number_from(take_line(rest).value_or(""));
    const auto root = from_base64(take_line(rest).value_or(""));
    const auto number = number_from(take_value(rest, "head").value_or(""));
    const auto time = time_from(take_value(rest, "time").value_or(""));
    const auto previous = archive::digest_from_hex(take_value(rest, "previous").value_or(""));
    const auto keyring = number_from(take_value(rest, "keyring").value_or(""));
    if (!size || !root || root->size() != head.root.size() || !number || *number == 0 || !time ||
        !previous || !keyring) {
        return malformed("a line is missing or malformed");
    }
    head.size = *size;
    std::ranges::copy(*root, head.root.begin());
    head.number = *number;
    head.time = *time;
    head.previous = *previous;
    head.keyring_generation = *keyring;
    while (const auto line = take_value(rest, "log")) {
        auto position = position_of(*line);
        if (!position) {
            return malformed("a line is missing or malformed");
        }
        head.positions.push_back(std::move(*position));
    }
    if (body_of(head) != parts->first ||
        !std::ranges::is_sorted(head.positions, {}, &Positions::value_type::first)) {
        return malformed("it is not in the form in which it is written");
    }
    return head;
}

Result<Head> open_head(std::string_view note, const PublicKey& key) {
    OPENARCHIVER_TRY(Head head, parse_head(note));
    const auto parts = split(note);
    const auto body = parts->first;
    const Error refused{Errc::unauthenticated,
                        "the signature of head " + std::to_string(head.number) +
                            " is not one of this public key over this text: the head was changed, "
                            "or it is of another archive"};
    // One signature is written; others (of witnesses) may follow in a note, but not in ours.
    const std::string name = origin_of(head);
    const std::string begin = std::string(kSignatureMark) + name + " ";
    auto line = parts->second;
    if (!line.starts_with(begin) || !line.ends_with('\n')) {
        return refused;
    }
    const auto text = line.substr(begin.size(), line.size() - begin.size() - 1);
    const auto bytes = from_base64(text);
    Signature signature;
    if (!bytes || bytes->size() != 4 + signature.size()) {
        return refused;
    }
    std::copy(bytes->begin() + 4, bytes->end(), signature.begin());
    if (signature_line(name, key, signature) != line ||
        !archive::is_signed_by(key, body, signature)) {
        return refused;
    }
    return head;
}

}  // namespace openarchiver::evidence

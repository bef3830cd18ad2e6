#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "evidence/proof.hpp"
#include "export/file_io.hpp"
#include "service/documents.hpp"
#include "service/proof_of_leaf.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr std::uintmax_t kMaxProofFile = std::uintmax_t{64} << 20;

struct Options {
    std::optional<std::string> ref;
    std::optional<std::uint64_t> version;
    std::optional<std::string> output;
    bool head = false;
    std::optional<std::string> check;
    std::optional<std::string> public_key;
    std::optional<std::string> content;
    std::optional<std::string> timestamp_ca;
};

sdk::Result<std::string> read_file(const std::string& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    std::ifstream stream(file, std::ios::binary);
    std::string text;
    if (!error && stream && size <= kMaxProofFile) {
        text.resize(size);
        stream.read(text.data(), static_cast<std::streamsize>(size));
        text.resize(static_cast<std::size_t>(stream.gcount()));
        return text;
    }
    return sdk::Error{.code = sdk::Errc::invalid_argument,
                      .message = "the file " + file + " can't be read" +
                                 (error ? ": " + error.message() : std::string())};
}

// Checking.

Outcome not_proven(sdk::Error error) {
    Outcome outcome = std::move(error);
    outcome.code = ExitCode::damage_found;
    return outcome;
}

sdk::Result<archive::Digest> digest_of_file(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the file " + file + " can't be read"};
    }
    archive::Sha256 hash;
    std::vector<char> piece(std::size_t{1} << 20);
    while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())),
           stream.gcount() > 0) {
        hash.update(
            std::as_bytes(std::span(piece.data(), static_cast<std::size_t>(stream.gcount()))));
    }
    return hash.finish();
}

struct Checked {
    evidence::Proven proven;
    archive::PublicKey key{};
    bool own_key = false;  ///< of the proof, not of --public-key
    bool content = false;
};

json::object document_of(const evidence::Statement& statement) {
    json::object document{{"proven", true},
                          {"archive", statement.archive_id},
                          {"source", statement.source},
                          {"account", statement.account},
                          {"item", statement.item},
                          {"media_type", statement.media_type},
                          {"sha256", archive::to_hex(statement.content)},
                          {"size", statement.size},
                          {"received_at", nullptr},
                          {"archived_at", service::time_value(statement.archived_at)},
                          {"fidelity", statement.exact ? "exact" : "reconstructed"}};
    if (statement.received_at) {
        document["received_at"] = service::time_value(*statement.received_at);
    }
    return document;
}

json::object document_of(const evidence::DisposalStatement& statement) {
    return {{"proven", true},
            {"archive", statement.archive_id},
            {"disposal", statement.disposal},
            {"cause", statement.cause},
            {"policy", statement.policy},
            {"reason", statement.reason},
            {"by", statement.by},
            {"items", statement.items},
            {"versions", statement.versions},
            {"bytes", statement.bytes},
            {"refs_sha256", archive::to_hex(statement.refs)},
            {"disposed_at", service::time_value(statement.disposed_at)}};
}

json::object document_of(const Checked& checked) {
    const auto& [statement, head, timestamp, trusted] = checked.proven;
    json::object document =
        std::visit([](const auto& of_kind) { return document_of(of_kind); }, statement);
    document["content_compared"] = checked.content;
    document["head"] = {
        {"number", head.number}, {"time", service::time_value(head.time)}, {"leaves", head.size}};
    document["public_key"] = archive::to_pem(checked.key);
    document["public_key_from_proof"] = checked.own_key;
    document["timestamp"] = nullptr;
    if (timestamp) {
        document["timestamp"] = {{"time", service::time_value(timestamp->time)},
                                 {"authority", timestamp->authority},
                                 {"trusted", trusted}};
    }
    return document;
}

std::string text_of(const evidence::Statement& statement, const std::string& head,
                    const Checked& checked) {
    const std::string sha256 = archive::to_hex(statement.content);
    return "PROVEN: the archive " + statement.archive_id + " held this when it signed " + head +
           ":\n  item " + plain(statement.item) + "\n  of account " + plain(statement.account) +
           ", source " + plain(statement.source) + "\n  content with the SHA-256 " + sha256 + ", " +
           std::to_string(statement.size) + " bytes, " +
           (statement.exact ? "exactly as the provider delivered it"
                            : "a RECONSTRUCTION: not the provider's own bytes") +
           "\n  archived " + time_text(statement.archived_at) + ", received " +
           (statement.received_at ? time_text(*statement.received_at) : "at an unknown time") +
           "\n" +
           (checked.content
                ? "The content of the file is that content, byte by byte.\n"
                : "A file is that content if its SHA-256 is the one above (--content FILE).\n");
}

std::string text_of(const evidence::DisposalStatement& statement, const std::string& head,
                    const Checked&) {
    return "PROVEN: the archive " + statement.archive_id + " said when it signed " + head +
           " that it had disposed of " + count_text(statement.items) + " items (" +
           count_text(statement.versions) + " versions, " + size_text(statement.bytes) +
           "):\n  disposal " + plain(statement.disposal) + " at " +
           time_text(statement.disposed_at) + ", by " + plain(statement.by) +
           "\n  cause: " + plain(statement.cause) +
           (statement.policy.empty() ? std::string() : ", policy " + plain(statement.policy)) +
           "\n  reason: " + plain(statement.reason) +
           "\n  refs of the items, each with a line feed, have the SHA-256 " +
           archive::to_hex(statement.refs) + "\n";
}

std::string text_of(const Checked& checked) {
    const auto& [statement, head, timestamp, trusted] = checked.proven;
    const std::string dated =
        "head " + std::to_string(head.number) + ", dated " + time_text(head.time);
    std::string text = std::visit(
        [&](const auto& of_kind) { return text_of(of_kind, dated, checked); }, statement);
    if (checked.own_key) {
        text +=
            "It is signed by the public key that the proof itself brings: compare it with the one "
            "that the archive's owner published, or give that one with --public-key FILE.\n" +
            archive::to_pem(checked.key);
    } else {
        text += "It is signed by the public key that you gave.\n";
    }
    if (!timestamp) {
        text += "The times are those of the archive's own clock: the proof has no timestamp.\n";
    } else if (trusted) {
        text += "A timestamp authority that leads to the certificates that you gave" +
                (timestamp->authority.empty() ? std::string()
                                              : " (" + plain(timestamp->authority) + ")") +
                " signed that the head existed at " + time_text(timestamp->time) + ".\n";
    } else {
        text += "It has a timestamp of " + time_text(timestamp->time) +
                ", whose authority was NOT checked: give its certificates with --timestamp-ca "
                "FILE.\n";
    }
    return text;
}

Outcome run_check(Command& command, const Options& options) {
    const auto text = read_file(*options.check);
    if (!text) {
        return Outcome::usage(text.error().message);
    }
    std::optional<archive::PublicKey> given;
    if (options.public_key) {
        const auto pem = read_file(*options.public_key);
        if (!pem) {
            return Outcome::usage(pem.error().message);
        }
        const auto key = archive::public_key_from_pem(*pem);
        if (!key) {
            return Outcome::usage("the file " + *options.public_key + ": " + key.error().message);
        }
        given = *key;
    }
    const auto proof = evidence::parse_proof(*text);
    if (!proof) {
        return not_proven(proof.error());
    }
    const std::optional<std::filesystem::path> ca_file =
        options.timestamp_ca ? std::optional<std::filesystem::path>(*options.timestamp_ca)
                             : std::nullopt;
    const auto key = given.value_or(proof->public_key);
    auto proven = evidence::check(*proof, key, ca_file);
    if (!proven) {
        if (proven.error().code == sdk::Errc::invalid_config) {
            return Outcome::usage(proven.error().message);
        }
        return not_proven({proven.error().code, "NOT proven: " + proven.error().message});
    }
    if (options.timestamp_ca && !proven->timestamp) {
        return not_proven({sdk::Errc::not_found,
                           "NOT proven by a timestamp: the proof has none, and --timestamp-ca asks "
                           "for one"});
    }
    if (options.content) {
        const auto digest = digest_of_file(*options.content);
        if (!digest) {
            return Outcome::usage(digest.error().message);
        }
        const auto* const item = std::get_if<evidence::Statement>(&proven->statement);
        if (item == nullptr) {
            return Outcome::usage("the proof is of a disposal: --content does not go with it");
        }
        if (*digest != item->content) {
            return not_proven({sdk::Errc::corrupt, "NOT proven: the file " + *options.content +
                                                       " has the SHA-256 " +
                                                       archive::to_hex(*digest) +
                                                       ", and the proof is of a content "
                                                       "with " +
                                                       archive::to_hex(item->content)});
        }
    }
    const Checked checked{.proven = std::move(*proven),
                          .key = key,
                          .own_key = !given,
                          .content = options.content.has_value()};
    if (command.json()) {
        command.document(json::serialize(document_of(checked)));
    } else {
        command.print(text_of(checked));
    }
    return ExitCode::done;
}

// Proving.

Outcome write_result(Command& command, const Options& options, const std::string& text,
                     json::object document, const std::string& said) {
    if (!options.output) {
        command.print(text);
        return ExitCode::done;
    }
    if (const sdk::Status written = exporter::write_text(*options.output, text); !written) {
        return Outcome::usage("the file " + *options.output +
                              " can't be written: " + written.error().message);
    }
    if (command.json()) {
        document["file"] = *options.output;
        command.document(json::serialize(document));
    } else {
        command.print(said + *options.output + "\n");
    }
    return ExitCode::done;
}

Outcome prove_head(Command& command, const Options& options) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    OPENARCHIVER_TRY(const auto note, catalog->newest_head());
    if (!note) {
        return sdk::Error{.code = sdk::Errc::not_found,
                          .message = "the archive has no head yet: a sync writes the first one"};
    }
    OPENARCHIVER_TRY(const auto head, evidence::parse_head(*note));
    return write_result(command, options, *note, {{"head", head.number}},
                        "wrote head " + std::to_string(head.number) + " to ");
}

/// `version` absent: the leaf is of a disposal.
Outcome prove_leaf(Command& command, const Options& options, catalog::CatalogReader& catalog,
                   const catalog::LeafRecord& leaf, const catalog::VersionRecord* version,
                   json::object document) {
    OPENARCHIVER_TRY(const auto reader, command.open_reader());
    OPENARCHIVER_TRY(const auto proof, service::prove_leaf(reader->archive(), catalog, leaf,
                                                           version, command.stop()));
    OPENARCHIVER_TRY(const auto head, evidence::parse_head(proof.head));
    document["head"] = head.number;
    document["timestamp"] = !proof.timestamp.empty();
    return write_result(command, options, evidence::to_json(proof), std::move(document),
                        "wrote a proof by head " + std::to_string(head.number) + " to ");
}

Outcome prove_item(Command& command, const Options& options) {
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    const auto versions = catalog->versions(*options.ref);
    if (!versions) {
        return versions.error().code == sdk::Errc::not_found
                   ? Outcome::usage(versions.error().message)
                   : Outcome(versions.error());
    }
    const auto wanted =
        options.version ? std::ranges::find(*versions, static_cast<std::int64_t>(*options.version),
                                            &catalog::VersionRecord::version)
                        : std::prev(versions->end());
    if (wanted == versions->end()) {
        return Outcome::usage("item " + *options.ref + " has versions 1 to " +
                              std::to_string(versions->back().version) + ", not " +
                              std::to_string(*options.version));
    }
    OPENARCHIVER_TRY(const auto leaf, catalog->leaf_of(wanted->item_key, wanted->version));
    return prove_leaf(command, options, *catalog, leaf, &*wanted,
                      {{"ref", *options.ref}, {"version", wanted->version}});
}

Outcome prove_disposal(Command& command, const Options& options) {
    if (options.version) {
        return Outcome::usage("--version does not go with a disposal");
    }
    OPENARCHIVER_TRY(const auto catalog, command.open_catalog());
    const auto leaf = catalog->leaf_of_disposal(*options.ref);
    if (!leaf) {
        return leaf.error().code == sdk::Errc::not_found ? Outcome::usage(leaf.error().message)
                                                         : Outcome(leaf.error());
    }
    return prove_leaf(command, options, *catalog, *leaf, nullptr, {{"disposal", *options.ref}});
}

Outcome run_prove(Command& command, const Options& options) {
    if (options.head) {
        return prove_head(command, options);
    }
    constexpr std::size_t kDisposalDigits = 16;  // the ref of an item has more
    return options.ref->size() == kDisposalDigits ? prove_disposal(command, options)
                                                  : prove_item(command, options);
}

}  // namespace

void register_prove(Verb& program) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = program.verb("prove",
                             "Proves that an item was in the archive at a signed head; checks a "
                             "proof with nothing but the public key.");
    verb.optional_argument("REF", options->ref,
                           "the item, as exports and lists name it, or a disposal");
    verb.option("--version", options->version, "N", "this version instead of the newest");
    verb.option("--output", options->output, "FILE", "where to; default: standard output");
    verb.flag("--head", options->head, "the newest signed head alone, to be kept elsewhere");
    verb.option("--check", options->check, "FILE", "checks a proof; needs no profile, no archive");
    verb.option("--public-key", options->public_key, "FILE",
                "of the archive, as `key check` prints it; default: the proof's own");
    verb.option("--content", options->content, "FILE", "is this the content?");
    verb.option("--timestamp-ca", options->timestamp_ca, "FILE",
                "certificates (PEM) that the timestamp's authority has to lead to");
    verb.without_profile([options](Command& command) -> Outcome {
        const bool proving = options->ref || options->head;
        if (proving == options->check.has_value() || (options->ref && options->head)) {
            return Outcome::usage("prove takes a REF, or --head, or --check FILE");
        }
        const bool checks = options->public_key || options->content || options->timestamp_ca;
        const bool proves = options->version || options->output;
        if (options->check ? proves : checks) {
            return Outcome::usage(options->check
                                      ? "--version and --output do not go with --check"
                                      : "--public-key, --content and --timestamp-ca go with "
                                        "--check only");
        }
        if (options->check) {
            return run_check(command, *options);
        }
        if (Outcome loaded = command.load(); loaded.error) {
            return loaded;
        }
        if (options->ref) {
            OPENARCHIVER_CHECK(command.audit("prove", *options->ref));
        }
        return run_prove(command, *options);
    });
}

}  // namespace openarchiver::cli

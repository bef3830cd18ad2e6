#include "preflight.hpp"

#include <openarchiver/sdk/deadline.hpp>

#include "failure.hpp"
#include "folder_tree.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Check;
using sdk::CheckOutcome;
using sdk::Errc;

constexpr std::chrono::seconds kTimeForAll{25};

class Preflight {
public:
    Preflight(Shared& shared, const std::string& account, std::stop_token stop)
        : shared_(shared), account_(account), stop_(std::move(stop)) {}

    std::vector<Check> run() {
        const Settings& settings = shared_.settings;
        auto connection = Connection::reach(shared_, stop_);
        if (!connection) {
            failed("server reachable", connection.error(), remedy_for_reaching(connection.error()));
            unknown("signed in", "the server can't be reached");
            unknown("folders listable", "the server can't be reached");
            return std::move(checks_);
        }
        passed("server reachable", settings.server.text() + (settings.security == Security::none
                                                                 ? ", without TLS"
                                                                 : ", its certificate is trusted"));
        if (const auto status = (*connection)->sign_in(account_, stop_); !status) {
            failed("signed in", status.error(), remedy_for_signing_in(status.error()));
            unknown("folders listable", "nobody is signed in");
            return std::move(checks_);
        }
        passed("signed in", "as " + settings.user);
        list_folders(**connection);
        describe(**connection);
        return std::move(checks_);
    }

private:
    void passed(std::string name, std::string detail) {
        checks_.push_back(
            {.name = std::move(name), .outcome = CheckOutcome::pass, .detail = std::move(detail)});
    }

    void unknown(std::string name, std::string detail) {
        checks_.push_back({.name = std::move(name), .detail = std::move(detail)});
    }

    void failed(std::string name, const sdk::Error& error, std::string remedy) {
        const bool late = error.code == Errc::cancelled;
        checks_.push_back({.name = std::move(name),
                           .outcome = CheckOutcome::fail,
                           .detail = late ? "it took longer than 25 s" : error.message,
                           .remedy = std::move(remedy),
                           .code = late ? Errc::timed_out : error.code});
    }

    [[nodiscard]] std::string remedy_for_reaching(const sdk::Error& error) const {
        if (error.service_code == kUntrustedCertificate) {
            return "Set ca_file to the authority that issued the certificate, correct host to the "
                   "name in it, or have it renewed.";
        }
        if (error.code == Errc::invalid_config) {
            return "Correct what the message names.";
        }
        return shared_.settings.security == Security::tls
                   ? "Check host, port (993) and firewalls; a server that speaks STARTTLS on port "
                     "143 only needs security: starttls."
                   : "Check host, port (143) and firewalls.";
    }

    [[nodiscard]] std::string remedy_for_signing_in(const sdk::Error& error) const {
        if (error.code == Errc::rate_limited || error.code == Errc::unavailable ||
            error.code == Errc::timed_out) {
            return "Try again later: the server refuses for the time being. If it names "
                   "connections, lower connections_per_account.";
        }
        if (error.code == Errc::invalid_config || error.code == Errc::not_found) {
            return "Correct what the message names.";
        }
        if (shared_.settings.delegated()) {
            return "Check user and secret, and that the server lets this user sign in for " +
                   account_ + " (a master user); some servers want master_separator.";
        }
        return "Check user and secret, and that IMAP is enabled for the account. With two-factor "
               "sign-in, providers want an application password or OAuth.";
    }

    void list_folders(Connection& connection) {
        const auto listing = connection.list(stop_);
        if (!listing) {
            failed("folders listable", listing.error(), "Ask who runs the server what it says.");
            return;
        }
        const FolderTree tree =
            make_folder_tree(*listing, connection.stable_names(), connection.can("SPECIAL-USE"),
                             shared_.settings.folders);
        std::size_t archived = 0;
        for (const FolderEntry& entry : tree.entries) {
            archived += entry.folder.archived ? 1U : 0U;
            watched_ += entry.watched ? 1U : 0U;
        }
        if (archived == 0) {
            failed("folders listable",
                   failure(Errc::invalid_config, "none of " + std::to_string(tree.entries.size()) +
                                                     " folders is to be archived"),
                   "Correct folders.include and folders.exclude.");
            return;
        }
        passed("folders listable", std::to_string(archived) + " of " +
                                       std::to_string(tree.entries.size()) +
                                       " folders are archived");
    }

    /// No precondition: what to expect of this server.
    void describe(Connection& connection) {
        const StableNames& names = connection.stable_names();
        passed("moves followed",
               names.message.empty()
                   ? "no: the server has no ids that keep over moves, so that a moved message "
                     "leaves and comes anew (its content is stored once)"
                   : "yes, by " + names.message);
        passed("news awaited",
               !connection.can("IDLE") ? "no: the server has no IDLE; new mail is seen on schedule"
               : watched_ == 0 ? "no: none of the folders is watched; new mail is seen on schedule"
                               : "yes, in " + std::to_string(watched_) +
                                     (watched_ == 1 ? " folder" : " folders") +
                                     " of an account, while the service runs");
    }

    Shared& shared_;
    const std::string& account_;
    const std::stop_token stop_;
    std::size_t watched_ = 0;
    std::vector<Check> checks_;
};

}  // namespace

sdk::Result<std::vector<Check>> run_preflight(Shared& shared, const std::string& account,
                                              const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    const sdk::Deadline deadline(kTimeForAll, stop);
    std::vector<Check> checks = Preflight(shared, account, deadline.token()).run();
    if (stop.stop_requested()) {
        return cancelled();
    }
    return checks;
}

}  // namespace openarchiver::imap

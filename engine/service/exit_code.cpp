#include "service/exit_code.hpp"

namespace openarchiver::service {

namespace {

using sdk::Errc;

ExitCode of_archive(Errc code) noexcept {
    switch (code) {
        case Errc::already_exists:
            return ExitCode::in_use;
        case Errc::invalid_argument:
            return ExitCode::usage;
        default:
            return ExitCode::archive_unavailable;
    }
}

ExitCode of_upstream(Errc code) noexcept {
    switch (code) {
        case Errc::invalid_argument:
        case Errc::invalid_config:
            return ExitCode::usage;
        case Errc::unauthenticated:
        case Errc::permission_denied:
            return ExitCode::refused_upstream;
        case Errc::rate_limited:
        case Errc::unavailable:
        case Errc::timed_out:
            return ExitCode::upstream_unreachable;
        // The place where contents wait for the archive is full.
        case Errc::resource_exhausted:
            return ExitCode::archive_unavailable;
        default:
            return ExitCode::with_failures;
    }
}

/// Of 1, 7 and 3; everything else ended the whole run and comes before them.
int severity(ExitCode code) noexcept {
    switch (code) {
        case ExitCode::done:
            return 0;
        case ExitCode::with_failures:
            return 1;
        case ExitCode::upstream_unreachable:
            return 2;
        case ExitCode::refused_upstream:
            return 3;
        default:
            return 4;
    }
}

ExitCode of_report(const pipeline::SyncReport& report) noexcept {
    if (report.error) {
        return exit_code(Origin::upstream, report.error->code);
    }
    const bool failures = !report.problems.empty() || report.outstanding_failures > 0 ||
                          report.counts.failed_accounts > 0 || report.counts.failed_folders > 0 ||
                          report.counts.failed_items > 0;
    return failures ? ExitCode::with_failures : ExitCode::done;
}

}  // namespace

ExitCode exit_code(Origin origin, Errc code) noexcept {
    if (code == Errc::cancelled) {
        return ExitCode::interrupted;
    }
    switch (origin) {
        case Origin::profile:
            return ExitCode::usage;
        case Origin::archive:
            return of_archive(code);
        case Origin::upstream:
            return of_upstream(code);
    }
    return ExitCode::archive_unavailable;
}

ExitCode worse(ExitCode a, ExitCode b) noexcept {
    return severity(a) < severity(b) ? b : a;
}

ExitCode exit_code(const std::vector<pipeline::SyncReport>& reports) noexcept {
    ExitCode worst = ExitCode::done;
    for (const pipeline::SyncReport& report : reports) {
        worst = worse(worst, of_report(report));
    }
    return worst;
}

}  // namespace openarchiver::service

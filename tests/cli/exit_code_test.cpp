#include "service/exit_code.hpp"

#include <catch2/catch.hpp>
#include <initializer_list>
#include <optional>
#include <vector>

using namespace openarchiver;
using sdk::Errc;
using service::ExitCode;
using service::Origin;

namespace {

std::vector<pipeline::SyncReport> reports(std::initializer_list<std::optional<Errc>> errors) {
    std::vector<pipeline::SyncReport> all;
    for (const auto& code : errors) {
        auto& report = all.emplace_back();
        if (code) {
            report.error = sdk::Error{.code = *code};
        }
    }
    return all;
}

}  // namespace

TEST_CASE("An error's exit code depends on where it came from", "[cli]") {
    CHECK(service::exit_code(Origin::profile, Errc::not_found) == ExitCode::usage);
    CHECK(service::exit_code(Origin::archive, Errc::not_found) == ExitCode::archive_unavailable);
    CHECK(service::exit_code(Origin::archive, Errc::already_exists) == ExitCode::in_use);
    CHECK(service::exit_code(Origin::archive, Errc::unauthenticated) ==
          ExitCode::archive_unavailable);
    CHECK(service::exit_code(Origin::archive, Errc::unavailable) == ExitCode::archive_unavailable);
    CHECK(service::exit_code(Origin::upstream, Errc::unauthenticated) ==
          ExitCode::refused_upstream);
    CHECK(service::exit_code(Origin::upstream, Errc::unavailable) ==
          ExitCode::upstream_unreachable);
    CHECK(service::exit_code(Origin::upstream, Errc::invalid_config) == ExitCode::usage);
    for (const Origin origin : {Origin::profile, Origin::archive, Origin::upstream}) {
        CHECK(service::exit_code(origin, Errc::cancelled) == ExitCode::interrupted);
    }
}

TEST_CASE("Of several sources the highest of 1, 7 and 3 counts, in this order", "[cli]") {
    CHECK(service::exit_code(reports({})) == ExitCode::done);
    CHECK(service::exit_code(reports({std::nullopt, std::nullopt})) == ExitCode::done);
    CHECK(service::exit_code(reports({Errc::internal, std::nullopt})) == ExitCode::with_failures);
    CHECK(service::exit_code(reports({Errc::timed_out, Errc::internal})) ==
          ExitCode::upstream_unreachable);
    CHECK(service::exit_code(reports({Errc::permission_denied, Errc::unavailable})) ==
          ExitCode::refused_upstream);
}

TEST_CASE("Failures that nobody accepted count in the exit code", "[cli]") {
    auto outstanding = reports({std::nullopt});
    outstanding[0].outstanding_failures = 1;
    CHECK(service::exit_code(outstanding) == ExitCode::with_failures);
    auto account = reports({std::nullopt});
    account[0].counts.failed_accounts = 1;
    CHECK(service::exit_code(account) == ExitCode::with_failures);
}

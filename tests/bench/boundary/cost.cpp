// What the wall between engine and plugin costs for a message: listing and reading it through the
// guards, less the same without. boundary-cost ITEMS SIZE prints nanoseconds of CPU for a message.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>

#include "generator.hpp"
#include "plugin/guarded.hpp"

namespace {

using namespace openarchiver;

class Nothing final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item&) override { return sdk::Flow::proceed; }

    sdk::Flow item_left(std::string_view) override { return sdk::Flow::proceed; }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override {
        return sdk::Flow::proceed;
    }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return sdk::Flow::proceed; }
};

double cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double spent(sdk::ProviderSession& session, std::uint64_t items) {
    Nothing sink;
    std::array<std::byte, 65536> buffer{};
    const double start = cpu_ns();
    (void)session.sync_folder("account", "folder", std::nullopt, sink, {});
    for (std::uint64_t i = 0; i < items; ++i) {
        const auto reader = session.open_content("account", std::to_string(i), {});
        while (reader && (*reader)->read(buffer).value() > 0) {
        }
    }
    return cpu_ns() - start;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        std::fprintf(stderr, "boundary-cost ITEMS SIZE\n");
        return 2;
    }
    const std::uint64_t items = std::stoull(arguments[1]);
    const std::size_t size = std::stoull(arguments[2]);
    bench::GeneratingSession plain(items, size);
    plugin::GuardedProviderSession guarded(std::make_unique<bench::GeneratingSession>(items, size),
                                           {.plugin = "generator"});
    // The least of some runs: noise only adds.
    double without = std::numeric_limits<double>::max();
    double with = without;
    for (int i = 0; i < 7; ++i) {
        without = std::min(without, spent(plain, items));
        with = std::min(with, spent(guarded, items));
    }
    std::printf("%.1f\n", std::max(0.0, with - without) / static_cast<double>(items));
    return 0;
}

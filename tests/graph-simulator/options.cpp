#include "options.hpp"

#include <charconv>
#include <stdexcept>
#include <string_view>

#include "federated.hpp"

namespace graph_simulator {
namespace {

template <class Number>
Number number(std::string_view name, std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::invalid_argument(std::string(name) + ": '" + std::string(text) +
                                    "' is not a suitable number");
    }
    return value;
}

bool parse_switch(Options& options, std::string_view name) {
    if (name == "--extras")
        options.extras = true;
    else if (name == "--no-limits")
        options.limits = false;
    else if (name == "--awkward-ids")
        options.awkward_ids = true;
    else if (name == "--die-with-parent")
        options.die_with_parent = true;
    else if (name == "--help")
        options.help = true;
    else
        return false;
    return true;
}

bool parse_text(Options& options, std::string_view name, std::string_view value) {
    if (name == "--cert")
        options.certificate_file = value;
    else if (name == "--key")
        options.key_file = value;
    else if (name == "--write-ca")
        options.write_ca = value;
    else if (name == "--client-cert")
        options.client_certificate = value;
    else if (name == "--tenant")
        options.tenant = value;
    else if (name == "--client-id")
        options.client_id = value;
    else if (name == "--client-secret")
        options.client_secret = value;
    else if (name == "--federated-issuer")
        federated_credential().issuer = value;
    else if (name == "--federated-subject")
        federated_credential().subject = value;
    else if (name == "--federated-audience")
        federated_credential().audience = value;
    else if (name == "--federated-cert")
        federated_credential().certificate_file = value;
    else if (name == "--mail")
        options.mail_directory = value;
    else
        return false;
    return true;
}

void parse_number(Options& options, std::string_view name, std::string_view value) {
    if (name == "--http")
        options.http_port = number<std::uint16_t>(name, value);
    else if (name == "--https")
        options.https_port = number<std::uint16_t>(name, value);
    else if (name == "--users")
        options.users = number<std::uint64_t>(name, value);
    else if (name == "--messages")
        options.messages = number<std::uint64_t>(name, value);
    else if (name == "--folders")
        options.folders = number<std::uint64_t>(name, value);
    else if (name == "--large-bytes")
        options.large_bytes = number<std::uint64_t>(name, value);
    else if (name == "--median-bytes")
        options.median_bytes = number<std::uint64_t>(name, value);
    else if (name == "--latency-ms")
        options.latency_ms = number<std::int64_t>(name, value);
    else if (name == "--seed")
        options.seed = number<std::uint64_t>(name, value);
    else if (name == "--page-size-max")
        options.page_size_max = number<std::int64_t>(name, value);
    else
        throw std::invalid_argument("unknown option " + std::string(name));
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (parse_switch(options, name))
            continue;
        if (i + 1 >= argc)
            throw std::invalid_argument(std::string(name) + " needs a value");
        const std::string_view value = argv[++i];
        if (!parse_text(options, name, value))
            parse_number(options, name, value);
    }
    if (options.certificate_file.empty() != options.key_file.empty()) {
        throw std::invalid_argument("--cert and --key belong together");
    }
    if (federated_credential().issuer.empty() != federated_credential().certificate_file.empty()) {
        throw std::invalid_argument("--federated-issuer and --federated-cert belong together");
    }
    if (options.page_size_max < 1)
        throw std::invalid_argument("--page-size-max must be at least 1");
    return options;
}

std::string usage() {
    return "graph-simulator [--http PORT] [--https PORT [--cert PEM --key PEM]] [--write-ca FILE]\n"
           "    [--tenant GUID] [--client-id GUID] [--client-secret VALUE] [--client-cert PEM]\n"
           "    [--federated-issuer URL --federated-subject TEXT --federated-cert PEM\n"
           "    [--federated-audience TEXT]]\n"
           "    [--mail DIR] [--users N] [--messages N] [--folders N] [--large-bytes B] "
           "[--extras]\n"
           "    [--median-bytes N] [--latency-ms N] [--seed N] [--page-size-max N] [--no-limits] "
           "[--awkward-ids]\n"
           "    [--die-with-parent]\n";
}

}  // namespace graph_simulator

#include "plugin/library.hpp"

#include <unistd.h>

#define BOOST_DLL_USE_STD_FS
#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "plugin/elf_check.hpp"

namespace openarchiver::plugin {

namespace {

namespace fs = std::filesystem;

constexpr const char* kStampSymbol = "openarchiver_abi_stamp";
constexpr const char* kFactorySymbol = "openarchiver_create_plugin";

/// Libraries are never unloaded, on purpose: threads, type information, static objects and texts of
/// a plugin may be referred to after its last session is gone, and unloading would turn each of
/// these into a crash. This list is never destroyed either, so that the order of destruction at the
/// end of the program does not matter.
class Kept {
public:
    static Kept& instance() {
        static auto* const kept = new Kept;
        return *kept;
    }

    boost::dll::shared_library& keep(boost::dll::shared_library library) {
        const std::lock_guard lock(mutex_);
        return *libraries_.emplace_back(
            std::make_unique<boost::dll::shared_library>(std::move(library)));
    }

    sdk::Plugin* keep(std::unique_ptr<sdk::Plugin> plugin) {
        const std::lock_guard lock(mutex_);
        return plugins_.emplace_back(std::move(plugin)).get();
    }

private:
    std::mutex mutex_;  // guards both lists
    std::vector<std::unique_ptr<boost::dll::shared_library>> libraries_;
    std::vector<std::unique_ptr<sdk::Plugin>> plugins_;
};

/// A text field of a stamp, which a foreign library need not have ended or kept to ASCII.
template <std::size_t N>
std::string text_of(const char (&field)[N]) {
    std::string text(field, std::find(field, field + N, '\0'));
    std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

std::string describe(const sdk::AbiStamp& stamp) {
    return "epoch " + std::to_string(stamp.abi_epoch) + ", " + text_of(stamp.fingerprint) + ", " +
           std::to_string(stamp.pointer_bits) + " bit, SDK " + text_of(stamp.sdk_version) + ", " +
           text_of(stamp.compiler);
}

std::string both_stamps(const sdk::AbiStamp& theirs, const sdk::AbiStamp& ours) {
    return " (plugin: " + describe(theirs) + "; engine: " + describe(ours) + ")";
}

RefusedPlugin refuse(const fs::path& file, Refusal code, const std::string& what) {
    return {file, code, "plugin " + file.string() + " refused: " + what};
}

std::optional<RefusedPlugin> check_permissions(const fs::path& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::is_regular_file(status)) {
        return refuse(file, Refusal::unreadable,
                      error
                          ? "it can't be read: " + error.message() + "; check path and permissions"
                          : std::string("it is not a file; give the path of a plugin library"));
    }
    const auto open_to_all = [&error](const fs::path& path) {
        return (fs::status(path, error).permissions() & fs::perms::others_write) != fs::perms::none;
    };
    if (open_to_all(file)) {
        return refuse(file, Refusal::unsafe_permissions,
                      "anybody may write the file, so anybody could run code in the engine; "
                      "chmod o-w " +
                          file.string());
    }
    if (open_to_all(file.parent_path())) {
        return refuse(file, Refusal::unsafe_permissions,
                      "anybody may write its folder, so anybody could run code in the engine; "
                      "chmod o-w " +
                          file.parent_path().string() + " or move the plugin");
    }
    return std::nullopt;
}

std::optional<RefusedPlugin> check_stamp(const fs::path& file, const sdk::AbiStamp& theirs) {
    const sdk::AbiStamp ours = sdk::make_abi_stamp();
    const std::string rebuild =
        "; rebuild the plugin with SDK " + text_of(ours.sdk_version) + " of this engine";
    // Magic and size first: only they say that the rest of the stamp is there.
    if (theirs.magic != ours.magic) {
        return refuse(file, Refusal::wrong_stamp,
                      "its stamp does not begin with the magic number of OpenArchiver plugins "
                      "(engine: " +
                          describe(ours) + ")" + rebuild);
    }
    if (theirs.struct_size != ours.struct_size) {
        return refuse(file, Refusal::wrong_stamp,
                      "its stamp has " + std::to_string(theirs.struct_size) +
                          " bytes, the engine's has " + std::to_string(ours.struct_size) +
                          " (engine: " + describe(ours) + ")" + rebuild);
    }
    if (theirs.pointer_bits != ours.pointer_bits) {
        return refuse(file, Refusal::other_pointer_size,
                      "it was built for pointers of another size" + both_stamps(theirs, ours) +
                          rebuild + " for this machine");
    }
    if (theirs.abi_epoch != ours.abi_epoch) {
        const bool newer = theirs.abi_epoch > ours.abi_epoch;
        return refuse(file, Refusal::other_epoch,
                      "it was built for another epoch of the plugin interface" +
                          both_stamps(theirs, ours) + rebuild +
                          (newer ? ", or install an engine of SDK " + text_of(theirs.sdk_version)
                                 : std::string(", or get a newer version of the plugin")));
    }
    if (!std::equal(std::begin(theirs.fingerprint), std::end(theirs.fingerprint),
                    std::begin(ours.fingerprint))) {
        return refuse(file, Refusal::other_fingerprint,
                      "it was built with another standard library or other settings of it" +
                          both_stamps(theirs, ours) + rebuild +
                          " and the compiler settings of this engine");
    }
    return std::nullopt;
}

}  // namespace

std::variant<OpenedLibrary, RefusedPlugin> open_library(const fs::path& file) {
    if (auto refused = check_permissions(file)) {
        return std::move(*refused);
    }
    const auto identity = identity_of(file);
    if (!identity || ::access(file.c_str(), R_OK) != 0) {
        return refuse(file, Refusal::unreadable, "it can't be read; check its permissions");
    }
    if (const auto complete = check_complete(file); !complete) {
        return refuse(file, Refusal::not_a_library, complete.error().message);
    }

    boost::dll::shared_library* library = nullptr;
    try {
        // The overload without error_code: only its exception carries the text of dlerror().
        library = &Kept::instance().keep(boost::dll::shared_library(
            file, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local));
    } catch (const std::exception& exception) {
        return refuse(file, Refusal::not_a_library,
                      std::string("the system can't load it as a shared library: ") +
                          exception.what() +
                          "; check that the file is complete, is for this machine, and that the "
                          "libraries it needs are installed");
    }
    if (!library->has(kStampSymbol)) {
        return refuse(file, Refusal::no_stamp,
                      std::string("it has no symbol ") + kStampSymbol +
                          ", so it is not a plugin (engine: " + describe(sdk::make_abi_stamp()) +
                          "); a plugin exports it with OPENARCHIVER_PLUGIN(...); other libraries "
                          "do not belong into a plugin folder");
    }

    OpenedLibrary opened;
    opened.identity = *identity;
    try {
        const auto& stamp = library->get<const sdk::AbiStamp>(kStampSymbol);
        if (auto refused = check_stamp(file, stamp)) {
            return std::move(*refused);
        }
        opened.stamp = stamp;
        if (!library->has(kFactorySymbol)) {
            return refuse(file, Refusal::no_factory,
                          std::string("it has a stamp but no symbol ") + kFactorySymbol +
                              "; export the plugin with OPENARCHIVER_PLUGIN(...)");
        }
        std::unique_ptr<sdk::Plugin> plugin(library->get<sdk::Plugin*()>(kFactorySymbol)());
        if (plugin == nullptr) {
            return refuse(file, Refusal::factory_failed,
                          "its factory returned no plugin; report it to the plugin's author");
        }
        opened.plugin = Kept::instance().keep(std::move(plugin));
    } catch (const std::exception& exception) {
        return refuse(file, Refusal::factory_failed,
                      std::string("its factory threw an exception: ") + exception.what() +
                          "; report it to the plugin's author");
    } catch (...) {
        return refuse(file, Refusal::factory_failed,
                      "its factory threw an exception of unknown type; report it to the plugin's "
                      "author");
    }
    return opened;
}

}  // namespace openarchiver::plugin

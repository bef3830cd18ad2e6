#include "plugin/library.hpp"

#include <sys/stat.h>
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

#include "plugin/digest.hpp"
#include "plugin/elf_check.hpp"

namespace openarchiver::plugin {

namespace {

namespace fs = std::filesystem;

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

/// Who, beside root and the engine's user, may write a file or folder; empty: nobody. Below a
/// `shared` folder with the sticky bit, as /tmp, everybody may write what is theirs only.
std::string others_who_write(const fs::path& path, bool shared = false) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return "nobody knows who";
    }
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return "the user " + std::to_string(status.st_uid);
    }
    if (shared && (status.st_mode & S_ISVTX) != 0) {
        return {};
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        return "anybody";
    }
    // A user's own group is no others: Debian gives each user one.
    const bool own_group = status.st_gid == 0 || status.st_gid == ::getegid();
    return (status.st_mode & S_IWGRP) != 0 && !own_group
               ? "the group " + std::to_string(status.st_gid)
               : std::string();
}

std::optional<RefusedPlugin> check_hash(const fs::path& file,
                                        const std::vector<std::string>& allowed) {
    const auto hash = sha256_of_file(file);
    if (!hash) {
        return refuse(file, Refusal::unreadable, hash.error().message);
    }
    if (std::ranges::find(allowed, *hash) != allowed.end()) {
        return std::nullopt;
    }
    return refuse(file, Refusal::not_pinned,
                  "its SHA-256 " + *hash +
                      " is not in plugins.sha256 of the profile; if the file is the one that it "
                      "should be, add the hash");
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
    if (const std::string who = others_who_write(file); !who.empty()) {
        return refuse(file, Refusal::unsafe_permissions,
                      who + " may write the file, and so run code in the engine; chmod o-w " +
                          file.string() + ", or chown it to root or the engine's user");
    }
    for (fs::path folder = file.parent_path();; folder = folder.parent_path()) {
        const bool own = folder == file.parent_path();
        if (const std::string who = others_who_write(folder, !own); !who.empty()) {
            return refuse(file, Refusal::unsafe_permissions,
                          who + " may write " +
                              (own ? std::string("its folder") : "the folder " + folder.string()) +
                              ", and so run code in the engine; chmod o-w " + folder.string() +
                              " or move the plugin");
        }
        if (folder == folder.parent_path()) {
            break;
        }
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

RefusedPlugin without_stamp(const fs::path& file) {
    return refuse(file, Refusal::no_stamp,
                  std::string("it has no symbol ") + kStampName +
                      ", so it is not a plugin (engine: " + describe(sdk::make_abi_stamp()) +
                      "); a plugin exports it with OPENARCHIVER_PLUGIN(...); other libraries do "
                      "not belong into a plugin folder");
}

}  // namespace

std::variant<OpenedLibrary, RefusedPlugin> open_library(const fs::path& file,
                                                        const std::vector<std::string>* allowed) {
    if (auto refused = check_permissions(file)) {
        return std::move(*refused);
    }
    const auto identity = identity_of(file);
    if (!identity || ::access(file.c_str(), R_OK) != 0) {
        return refuse(file, Refusal::unreadable, "it can't be read; check its permissions");
    }
    if (allowed != nullptr) {
        if (auto refused = check_hash(file, *allowed)) {
            return std::move(*refused);
        }
    }
    if (const auto complete = check_complete(file); !complete) {
        return refuse(file, Refusal::not_a_library, complete.error().message);
    }
    // What is no library of this machine is left to the loader, which says best what is wrong.
    if (const auto stamp = read_stamp(file); stamp && *stamp) {
        if (auto refused = check_stamp(file, **stamp)) {
            return std::move(*refused);
        }
    } else if (stamp) {
        return without_stamp(file);
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
    if (!library->has(kStampName)) {
        return without_stamp(file);
    }

    OpenedLibrary opened;
    opened.identity = *identity;
    try {
        const auto& stamp = library->get<const sdk::AbiStamp>(kStampName);
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

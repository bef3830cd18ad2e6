#include "mail_folders.hpp"

#include <fstream>
#include <stdexcept>

namespace openarchiver::tests {

std::string message(const std::string& name) {
    return "From: sender@contoso.example\r\nTo: receiver@contoso.example\r\nSubject: " + name +
           "\r\nMessage-ID: <" + name + "@contoso.example>\r\n\r\n" + std::string(1'500, 'x') +
           name + "\r\n";
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    if (!file) {
        throw std::runtime_error("can't write " + path.string());
    }
}

void make_maildir(const std::filesystem::path& path) {
    for (const char* name : {"cur", "new", "tmp"}) {
        std::filesystem::create_directories(path / name);
    }
}

std::filesystem::path deliver(const std::filesystem::path& maildir, const std::string& name) {
    const std::filesystem::path file = maildir / "new" / name;
    write_file(file, message(name));
    return file;
}

std::filesystem::path deliver_seen(const std::filesystem::path& maildir, const std::string& name,
                                   const std::string& flags) {
    const std::filesystem::path file = maildir / "cur" / (name + ":2," + flags);
    write_file(file, message(name));
    return file;
}

}  // namespace openarchiver::tests

#include "catalog/database.hpp"

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/SQLiteException.h>

namespace openarchiver::catalog {

namespace sqlite = Poco::Data::SQLite;
using namespace Poco::Data::Keywords;
using sdk::Errc;

Poco::Data::Session open_session(const std::filesystem::path& file, Access access) {
    static std::once_flag registered;
    std::call_once(registered, [] { sqlite::Connector::registerConnector(); });
    Poco::Data::Session session(sqlite::Connector::KEY, file.string());
    session << "PRAGMA busy_timeout=20000", now;
    if (access == Access::write) {
        // The log is the truth: what a power cut takes from the catalog is replayed from there.
        session << "PRAGMA journal_mode=WAL", now;
        session << "PRAGMA synchronous=NORMAL", now;
        session << "PRAGMA wal_autocheckpoint=4000", now;
    } else {
        session << "PRAGMA query_only=1", now;
    }
    session << "PRAGMA cache_size=-16384", now;
    session << "PRAGMA temp_store=MEMORY", now;
    return session;
}

sdk::Error translate(const Poco::Exception& exception, const char* doing) {
    const std::string what = std::string(doing) + ": " + exception.displayText();
    const auto is = [&]<typename Kind>(std::type_identity<Kind>) {
        return dynamic_cast<const Kind*>(&exception) != nullptr;
    };
    if (is(std::type_identity<sqlite::CorruptImageException>{}) ||
        is(std::type_identity<sqlite::DBAccessDeniedException>{}) ||
        what.find("not a database") != std::string::npos ||
        what.find("malformed") != std::string::npos) {
        return {Errc::corrupt,
                "the catalog is damaged (" + what +
                    "); it can be made anew from the archive: run `openarchiver rebuild`"};
    }
    if (is(std::type_identity<sqlite::DatabaseFullException>{})) {
        return {Errc::resource_exhausted,
                "no space left for the catalog (" + what + "); free space on its volume"};
    }
    if (is(std::type_identity<sqlite::ReadOnlyException>{}) ||
        is(std::type_identity<sqlite::CantOpenDBFileException>{})) {
        return {Errc::permission_denied, "the catalog can't be opened for writing (" + what +
                                             "); check the rights on its folder"};
    }
    return {Errc::unavailable, "the catalog failed (" + what + ")"};
}

}  // namespace openarchiver::catalog

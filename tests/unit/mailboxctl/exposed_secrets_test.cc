// exposed_secrets_test.cc - secrets in files that everybody may read are found, and others are not.

#include "mailboxctl/check/exposed_secrets.h"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

namespace fs = std::filesystem;

namespace {

struct Folder {
    Folder() { fs::create_directories(root / "conf" / "conf.d"); }
    ~Folder() { fs::remove_all(root); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    void write(const std::string& name, const std::string& text, int mode = 0644) const
    {
        std::ofstream{root / name} << text;
        fs::permissions(root / name, fs::perms{static_cast<unsigned>(mode)});
    }
    std::string find() const
    {
        const auto found =
            check::find_exposed({root / "conf", "/nowhere", ""},
                                {{"key", "a long secret"}, {"short", "abc"}, {"empty", ""}});
        return found ? fs::relative(found->file, root).string() + " " + found->secret : "nothing";
    }

    fs::path root = fs::temp_directory_path() / ("exposed-" + std::to_string(::getpid()));
};

}  // namespace

BOOST_AUTO_TEST_SUITE(exposeds)

BOOST_FIXTURE_TEST_CASE(in_a_file_that_everybody_reads, Folder)
{
    write("conf/main.cf", "# abc\n");
    BOOST_TEST(find() == "nothing");
    write("conf/main.cf", "# a long secret\n", 0640);
    BOOST_TEST(find() == "nothing");
    write("conf/main.cf", "# a long secret\n");
    BOOST_TEST(find() == "conf/main.cf key");
    write("conf/main.cf", "");
    write("conf/conf.d/main.cf~", "x=a long secret");
    BOOST_TEST(find() == "conf/conf.d/main.cf~ key");
}

BOOST_FIXTURE_TEST_CASE(in_a_file_that_another_one_names, Folder)
{
    write("table", "a long secret");
    BOOST_TEST(find() == "nothing");
    for (const char* before : {"!include ", "maps = proxy:mysql:", "ssl_key = <", "f="}) {
        write("conf/main.cf", before + (root / "table").string() + ", x");
        BOOST_TEST(find() == "table key", before);
    }
    write("table", "a long secret", 0600);
    BOOST_TEST(find() == "nothing");
}

// A log may hold whatever a client sent.
BOOST_FIXTURE_TEST_CASE(a_long_path_is_read_to_its_end, Folder)
{
    write("table", "a long secret");
    write("conf/log", "GET /" + std::string(500'000, 'a') + "/b " + (root / "table").string());
    BOOST_TEST(find() == "table key");
}

BOOST_AUTO_TEST_SUITE_END()

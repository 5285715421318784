// mailboxctl - the operator's tool: reads the command line and runs the command.
//
// command_list.h has the commands. Each is an entry of a table with its options and its function.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/program_options.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/crypto.h"
#include "base/strings.h"
#include "base/version.h"
#include "db/accounts.h"
#include "db/connection.h"
#include "db/transaction.h"
#include "mailboxctl/command.h"
#include "mailboxctl/command_list.h"

namespace {

namespace po = boost::program_options;
using command::Command;
using command::WrongUsage;

po::options_description common_options()
{
    po::options_description options;
    options.add_options()(
        "config,c",
        po::value<std::string>()->value_name("FILE")->default_value("/etc/mailboxd/mailboxd.conf"),
        "read the configuration from FILE")("help,h", "show the help of the command");
    return options;
}

std::string usage(const Command& command)
{
    std::string text{"mailboxctl "};
    text += command.name;
    for (const auto& argument : command.arguments) text += " " + argument;
    return text;
}

void print_help()
{
    std::cout
        << "Usage: mailboxctl [--config FILE] COMMAND [ARGUMENT]... [OPTION]...\n\n"
           "Create a first mailbox:\n"
           "  mailboxctl account add demo\n"
           "  mailboxctl domain add example.org --account demo\n"
           "  mailboxctl key add --account demo\n"
           "  curl -u api:KEY https://HOST/example.org/mailboxes -d mailbox=alice -d password=PASSWORD\n\n"
           "Commands (for details: mailboxctl COMMAND --help):\n";
    for (const auto& command : command::all()) {
        std::cout << "  " << std::left << std::setw(44) << usage(command).substr(11)
                  << command.summary << '\n';
    }
    std::cout
        << "\nOptions of every command:\n"
        << common_options()
        << "  -V [ --version ]       print the version and exit\n"
           "\nExit status: 0 success, 1 refused or failed (nothing was changed unless the message says so), 2 wrong usage.\n";
}

void print_help(const Command& command)
{
    std::cout << "Usage: " << usage(command) << " [OPTION]...\n\n" << command.summary << ".\n";
    if (!command.details.empty()) std::cout << command.details << '\n';
    std::cout << "\nOptions:\n" << command.options().add(common_options());
}

// Removes the command's name from the words and returns the command. Throws WrongUsage if there is
// no such command.
const Command& take_command(std::vector<std::string>& words)
{
    std::vector<std::size_t>
        places;  // of the words that are neither an option nor the value of --config
    for (std::size_t i = 0; i < words.size() && places.size() < 3; ++i) {
        if (words[i] == "--config" || words[i] == "-c") ++i;
        else if (!words[i].starts_with('-')) places.push_back(i);
    }
    if (places.empty()) throw WrongUsage("no command given");
    for (const auto& command : command::all()) {
        const auto name = strings::words(command.name);
        const auto is_word_at = [&](const std::string& word, std::size_t place) {
            return word == words[place];
        };
        if (places.size() < name.size()
            || !std::equal(name.begin(), name.end(), places.begin(), is_word_at))
            continue;
        for (auto i = name.size(); i > 0; --i)
            words.erase(words.begin() + static_cast<std::ptrdiff_t>(places[i - 1]));
        return command;
    }
    std::string similar;
    for (const auto& command : command::all()) {
        if (command.name.starts_with(words[places[0]] + " "))
            similar += (similar.empty() ? "; there are " : ", ") + std::string{command.name};
    }
    throw WrongUsage("there is no command " + words[places[0]]
                     + (places.size() > 1 ? " " + words[places[1]] : "") + similar);
}

// Refuses arguments that contain a whole API key: other users of the machine see it in the process
// list, and the shell's history keeps it. A mistyped key is refused, too, because most of its
// secret is right.
void refuse_keys(const std::vector<std::string>& words)
{
    constexpr std::string_view kPrefix = "mbx-";
    constexpr std::size_t kIdLength = 10;
    constexpr std::size_t kLeastLength = 40;  // of 49 characters
    for (const auto& word : words) {
        const auto text = strings::lower_case(word);
        for (auto at = text.find(kPrefix); at != std::string::npos;
             at = text.find(kPrefix, at + 1)) {
            const auto begin = at + kPrefix.size();
            const auto end = std::min(
                text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789", begin), text.size());
            if (end - begin < kLeastLength) continue;
            const auto id = text.substr(begin, kIdLength);
            throw admin::Refused(
                "the arguments contain the whole API key " + id
                    + ". Nothing was done. The process list and the shell's history "
                      "show the key to others, so revoke it: mailboxctl key revoke "
                    + id + ". Commands take the id alone: " + id,
                admin::Refused::Outcome::said);
        }
    }
}

// Opens standard files that the caller has closed. Otherwise the connection to the database could
// get the number of standard output, and the output would go there. They are opened so that writing
// fails, as for any program with a closed output.
void open_standard_files()
{
    for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(number, F_GETFD) >= 0) continue;
        if (::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            throw std::runtime_error("/dev/null cannot be opened");
    }
}

bool is_writable(int descriptor)
{
    const int flags = ::fcntl(descriptor, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

// Returns whether standard output is a pipe whose reader has ended.
bool is_reader_gone()
{
    pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
    return ::poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0;
}

// Ends the program by SIGPIPE, as if the library of the database did not ignore that signal.
[[noreturn]] void end_by_sigpipe()
{
    std::signal(SIGPIPE, SIG_DFL);
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGPIPE);
    ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
    ::raise(SIGPIPE);
    std::_Exit(128 + SIGPIPE);
}

// Reports that standard output could not be written to.
[[noreturn]] void complain_of_output(command::Prints prints, int error)
{
    if (prints == command::Prints::listing && is_reader_gone()) end_by_sigpipe();
    // The failure may be old and its reason lost; the next write returns it again.
    if (error == 0 && ::write(STDOUT_FILENO, "\n", 1) < 0) error = errno;
    auto sentence = "standard output cannot be written to"
                    + (error == 0 ? std::string{} : " (" + std::string{std::strerror(error)} + ")");
    if (prints == command::Prints::outcome) sentence += "; the change was made";
    if (prints == command::Prints::secret) {
        sentence +=
            "; the change was made, but the key or password was not shown: replace it (key revoke and key add, or mailbox passwd)";
    }
    throw std::runtime_error(sentence);
}

int flushed(int status, command::Prints prints)
{
    errno = 0;
    if (!std::cout.flush()) complain_of_output(prints, errno);
    return status;
}

int run(std::vector<std::string> words)
{
    refuse_keys(words);
    const auto equals_one_of = [](const char* first, const char* second) {
        return [=](const std::string& word) { return word == first || word == second; };
    };
    const bool wants_help =
        words.empty() || std::any_of(words.begin(), words.end(), equals_one_of("--help", "-h"))
        || words[0] == "help";
    if (std::any_of(words.begin(), words.end(), equals_one_of("--version", "-V"))) {
        std::cout << "mailboxctl " << kVersion << '\n';
        return flushed(0, command::Prints::listing);
    }
    if (wants_help) {
        if (!words.empty() && words[0] == "help") words.erase(words.begin());
        try {
            print_help(take_command(words));
        } catch (const WrongUsage&) {
            print_help();
        }
        return flushed(0, command::Prints::listing);
    }
    const auto& command = take_command(words);
    std::vector<std::string> arguments;
    po::options_description visible{command.options()};
    visible.add(common_options());
    po::options_description all{visible};
    all.add_options()("argument", po::value(&arguments));
    po::positional_options_description positions;
    positions.add("argument", -1);
    po::variables_map options;
    namespace style = po::command_line_style;
    const int whole_names =
        style::unix_style & ~style::allow_guessing;  // --password is an option of its own, not
                                                     // short for --password-file
    try {
        po::store(po::command_line_parser(words)
                      .style(whole_names)
                      .options(all)
                      .positional(positions)
                      .run(),
                  options);
        po::notify(options);
    } catch (const po::error& error) {
        throw WrongUsage(error.what());
    }
    const auto is_needed = [](const std::string& argument) { return !argument.starts_with('['); };
    const auto needed =
        std::count_if(command.arguments.begin(), command.arguments.end(), is_needed);
    const bool is_repeated =
        !command.arguments.empty() && command.arguments.back().ends_with("...");
    if (arguments.size() < static_cast<std::size_t>(needed)
        || (arguments.size() > command.arguments.size() && !is_repeated)) {
        throw WrongUsage("usage: " + usage(command));
    }
    const auto config =
        command.needs_configuration ? Config::read(options["config"].as<std::string>()) : Config{};
    crypto::initialize();
    if (command.prints == command::Prints::secret && !is_writable(STDOUT_FILENO)) {
        throw admin::Refused(
            "standard output is closed, but the key or password is shown there only once");
    }
    try {
        return flushed(command.run({options, arguments, config}), command.prints);
    } catch (const command::OutputLost&) {
        complain_of_output(command.prints, 0);
    } catch (const db::InDoubt& error) {
        throw std::runtime_error(
            std::string{error.what()}
            + "; the connection was lost during the change, and it is unknown whether the change was made."
              " Check before you repeat the command: mailboxctl audit shows the changes");
    } catch (const db::Unreached&) {
        throw;
    } catch (const db::Error& error) {
        if (command.prints == command::Prints::listing) throw;
        if (command.changes == command::Changes::in_steps) {
            throw std::runtime_error(
                std::string{error.what()}
                + "; the steps before this one are done, and the command can be repeated");
        }
        throw admin::Refused(error.what());
    }
}

int complain(const std::string& sentence)
{
    std::cerr << "mailboxctl: " << sentence << '\n';
    return command::kFailed;
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        open_standard_files();
        return run({argv + 1, argv + argc});
    } catch (const WrongUsage& wrong) {
        std::cerr << "mailboxctl: " << wrong.what()
                  << "; nothing was done. For help: mailboxctl --help\n";
        return command::kUsage;
    } catch (const Config::Problems& problems) {
        std::cerr << "mailboxctl: " << problems.what()
                  << "\nNothing was done; mailboxd.conf(5) has the settings.\n";
        return command::kUsage;
    } catch (const admin::Refused& refused) {
        return complain(command::with_outcome(refused));
    } catch (const db::Unreached& error) {
        return complain(command::with_outcome(admin::Refused{error.what()}));
    } catch (const std::exception& error) {
        return complain(error.what());
    }
}

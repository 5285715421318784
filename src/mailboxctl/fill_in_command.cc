#include "mailboxctl/fill_in_command.h"

#include <fstream>
#include <iostream>
#include <iterator>

#include "base/fill_in.h"

namespace fill_in_command {
namespace {

namespace po = boost::program_options;
using command::Call;

po::options_description options()
{
    po::options_description options;
    options.add_options()(
        "secret", po::value<std::vector<std::string>>()->value_name("NAME=FILE"),
        "the value of NAME is the first line of FILE, so that the process list does not show it");
    return options;
}

std::string contents(const std::string& path)
{
    std::ifstream file{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!file.is_open() || file.bad()) throw admin::Refused(path + " cannot be read");
    return text;
}

int fill_in_file(const Call& call)
{
    fill_in::Values values;
    for (std::size_t i = 1; i < call.arguments.size(); ++i)
        values.insert(command::setting(call.arguments[i]));
    if (call.has("secret")) {
        for (const auto& text : call.options["secret"].as<std::vector<std::string>>()) {
            const auto [name, file] = command::setting(text);
            const auto secret = contents(file);
            values[name] = secret.substr(0, secret.find('\n'));
        }
    }
    std::cout << fill_in::filled(contents(call.arguments[0]), values);
    return 0;
}

}  // namespace

command::Command command()
{
    return {
        "fill-in",
        {"FILE", "[NAME=VALUE]..."},
        "print a template of Postfix or Dovecot with its values",
        "Replaces each @NAME@ in FILE, except in comments. The head of each file in /usr/share/mailboxd says which names it\n"
        "has. mailboxctl setup does this itself; the command is for installations by hand.",
        options,
        fill_in_file,
        command::Prints::listing,
        command::Changes::at_once,
        false};
}

}  // namespace fill_in_command

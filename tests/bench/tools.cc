#include "bench/tools.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "system/harness/http.h"
#include "system/harness/process.h"

namespace tools {
namespace {

std::string output(const process::Arguments& arguments)
{
    const auto ended = process::run(arguments);
    if (ended.exit != 0)
        throw std::runtime_error(process::quoted(arguments) + " failed: " + ended.out + ended.err);
    return ended.out;
}

// Returns the number after a word, or before it.
double number_after(const std::string& text, const std::string& word)
{
    const auto place = text.find(word);
    if (place == std::string::npos) throw std::runtime_error("no '" + word + "' in: " + text);
    return std::strtod(text.c_str() + place + word.size(), nullptr);
}

double number_before(const std::string& text, const std::string& word)
{
    const auto place = text.find(word);
    if (place == std::string::npos) throw std::runtime_error("no '" + word + "' in: " + text);
    const auto begin = text.find_last_not_of("0123456789", place - 1) + 1;
    return std::strtod(text.c_str() + begin, nullptr);
}

}  // namespace

Load wrk(const std::string& url, const std::string& key, int connections, int seconds)
{
    const auto out = output({"wrk", "--threads", "1", "--connections", std::to_string(connections),
                             "--duration", std::to_string(seconds) + "s", "--timeout", "30s",
                             "--header", "Authorization: " + http::basic(key), url});
    if (out.find("Non-2xx") != std::string::npos
        || out.find("Socket errors") != std::string::npos) {
        throw std::runtime_error(url + " was not always answered well: " + out);
    }
    return {.rate = number_after(out, "Requests/sec:"),
            .requests = number_before(out, " requests in ")};
}

std::vector<double> h2load(const std::string& url, const std::string& key, int connections,
                           int seconds, const std::string& log)
{
    std::remove(log.c_str());
    const auto out =
        output({"h2load", "--h1", "--threads=1", "--clients=" + std::to_string(connections),
                "--duration=" + std::to_string(seconds),
                "--header=authorization: " + http::basic(key), "--log-file=" + log, url});
    std::ifstream file{log};
    std::vector<double> milliseconds;
    // One line for each request: its start, its status, and its duration in microseconds.
    double begin = 0, microseconds = 0;
    for (int status = 0; file >> begin >> status >> microseconds;) {
        if (status == 200) milliseconds.push_back(microseconds / 1000);
    }
    if (milliseconds.empty())
        throw std::runtime_error("h2load got no answer from " + url + ": " + out);
    return milliseconds;
}

Rows rows(const Place& place, int seconds, int count)
{
    std::istringstream out{
        output({place.programs + "/rows", place.db_socket, place.db_user,
                std::to_string(place.workers), std::to_string(seconds), std::to_string(count)})};
    Rows result;
    out >> result.rate >> result.cpu_seconds;
    result.pages = result.rate * seconds;
    return result;
}

double hashes(const Place& place, unsigned processes, int seconds)
{
    return std::stod(
        output({place.programs + "/hashes", std::to_string(processes), std::to_string(seconds)}));
}

double commits(const Place& place, const std::string& local_part, int first, int last)
{
    return std::stod(output({place.programs + "/commits", place.db_socket, place.db_user,
                             place.db_name, std::to_string(place.workers), local_part,
                             std::to_string(first), std::to_string(last)}));
}

}  // namespace tools

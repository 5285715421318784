// tools.h - other programs that measure: wrk, h2load, and our own for the ceilings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tools {

// What every run of one of them needs to know.
struct Place {
    std::string programs;  // where ours are
    std::string db_socket;
    std::string db_user;
    std::string db_name;
    int workers;
};

struct Load {
    double rate = 0;      // answers a second
    double requests = 0;  // in all
};

// Saturates one URL over so many connections. Throws where an answer is not a 2xx.
Load wrk(const std::string& url, const std::string& key, int connections, int seconds);

// The time of each answer, in milliseconds.
std::vector<double> h2load(const std::string& url, const std::string& key, int connections,
                           int seconds, const std::string& log);

struct Rows {
    double rate = 0;
    double cpu_seconds = 0;  // of the client itself
    double pages = 0;
};
Rows rows(const Place& place, int seconds, int count);                                   // D
double hashes(const Place& place, unsigned processes, int seconds);                      // H
double commits(const Place& place, const std::string& local_part, int first, int last);  // C

}  // namespace tools

// tools.h - runs other programs that measure: wrk, h2load, and our own for the ceilings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tools {

// What each of our programs needs to know.
struct Place {
    std::string programs;  // the folder of our programs
    std::string db_socket;
    std::string db_user;
    std::string db_name;
    int workers;
};

struct Load {
    double rate = 0;      // answers per second
    double requests = 0;  // number of requests
};

// Saturates one URL over this many connections. Throws if an answer is not a 2xx.
Load wrk(const std::string& url, const std::string& key, int connections, int seconds);

// Returns the time of each answer in milliseconds.
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

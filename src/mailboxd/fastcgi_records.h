// fastcgi_records.h - FastCGI records (FastCGI 1.0, sections 3.3, 3.4, 5.5 and 8): an incoming
// request and an outgoing answer.
//
// The gate uses Incoming to inspect requests without serving them. A worker reads the same bytes
// again through libfcgi, which alone decides whether they are valid. No input makes a function here
// throw.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace records {

// A request that is arriving. Its bytes may contain passwords, so the destructor wipes them.
class Incoming {
public:
    // `most`: how many bytes are kept.
    explicit Incoming(std::size_t most) : most_{most} {}

    void add(std::string_view bytes);

    // Returns true if no more bytes are needed: the body's stream has ended, the sender has aborted
    // the request, more than `most` bytes came, or the bytes are not FastCGI.
    bool is_complete() const { return is_complete_; }

    // Returns the bytes that have arrived, at most `most`.
    std::string_view bytes() const { return {bytes_.text().substr(0, size_)}; }

    // Returns the value of a CGI variable; empty if the parameters do not have it or are malformed
    // before it.
    std::optional<std::string> parameter(std::string_view name) const;

    // Returns the id that the answer's records must have; 0 if no record has arrived.
    int request_id() const;

private:
    void scan();

    std::size_t most_;
    Secret bytes_;
    std::size_t size_ = 0;     // how much of bytes_ is filled
    std::size_t scanned_ = 0;  // the end of the last complete record
    bool is_complete_ = false;
};

// An answer, sent by one write: libfcgi's own stream needs one for each 8 KiB. The socket blocks,
// so only a timeout ends the write early. Errors are not reported, because a client that has hung
// up gets no answer.
class Outgoing {
public:
    explicit Outgoing(int request_id) : request_id_{request_id} {}

    // Appends to the answer. The bytes are not copied, so they must live until send().
    void add(std::string_view text);
    void send(int connection);

private:
    using Header = std::array<unsigned char, 8>;
    void add_record(unsigned char type, const void* content, std::size_t length);

    int request_id_;
    std::deque<Header> headers_;  // a deque, because parts_ points to them
    std::vector<iovec> parts_;
};

}  // namespace records

// fastcgi_records.h - FastCGI records (FastCGI 1.0, sections 3.3, 3.4, 5.5 and 8): a request as it
// arrives, and an answer.
//
// Incoming is for the gate, which looks at requests without serving them. A worker reads the same
// bytes again by libfcgi, which alone judges whether they are right. Nothing here throws for what
// was sent.
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

// One request, as it arrives. The bytes may hold passwords, so they are wiped when it is destroyed.
class Incoming {
public:
    // `most`: bytes that are kept.
    explicit Incoming(std::size_t most) : most_{most} {}

    void add(std::string_view bytes);

    // Returns true when nothing more is needed: the body's stream has ended, the sender has aborted
    // the request, more came than is kept, or the bytes are no FastCGI.
    bool is_complete() const { return is_complete_; }

    // What has come, at most `most` bytes.
    std::string_view bytes() const { return {bytes_.text().substr(0, size_)}; }

    // The value of a CGI variable; nothing where the parameters do not have it or are malformed
    // before it.
    std::optional<std::string> parameter(std::string_view name) const;

    // The number that the answer's records must have; 0 where none has come.
    int request_id() const;

private:
    void scan();

    std::size_t most_;
    Secret bytes_;
    std::size_t size_ = 0;     // of bytes_, filled
    std::size_t scanned_ = 0;  // up to here all records are whole
    bool is_complete_ = false;
};

// An answer, which leaves by one write: libfcgi's own stream takes one for each 8 KiB. The socket
// blocks, so only a time-out ends that early. An error needs no report: whoever has hung up gets no
// answer.
class Answer {
public:
    explicit Answer(int request_id) : request_id_{request_id} {}

    // The bytes are not copied: they must live until send().
    void add(std::string_view text);
    void send(int connection);

private:
    using Header = std::array<unsigned char, 8>;
    void add_record(unsigned char type, const void* content, std::size_t length);

    int request_id_;
    std::deque<Header> headers_;  // they stay where they are
    std::vector<iovec> parts_;
};

}  // namespace records

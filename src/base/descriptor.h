// descriptor.h - a file descriptor that is closed when its owner is destroyed.
#pragma once

#include <unistd.h>

#include <utility>

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_{number} {}
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { reset(); }

    int number() const { return number_; }
    bool is_open() const { return number_ >= 0; }
    // Gives the descriptor up: the caller must close it.
    int release() { return std::exchange(number_, -1); }
    void reset()
    {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }

private:
    int number_ = -1;
};

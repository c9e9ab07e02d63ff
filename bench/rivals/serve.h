// The bench's side of a rival in C++: the network as describe.go writes it, and
// the commands that pytorch.py lists.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Node {
    std::string op;
    std::vector<int> inputs;  // -1 is the picture
    int in, out;              // channels
    int kernel, stride, groups;
    int above, below, left, right;  // padding
    int grow, edge, act;            // act as in space.Act
    float least, most;
    int factor;
    std::vector<float> weights, bias, slope;  // layouts of ONNX
};

enum Act { NONE, RELU, PRELU, CLIP, SIGMOID, TANH };

struct Graph {
    int scale, colors;
    std::vector<Node> nodes;

    explicit Graph(const std::string &data) {
        std::istringstream text(data);
        size_t count;
        text >> scale >> colors >> count;
        nodes.resize(count);
        std::vector<size_t> sizes;
        for (Node &n : nodes) {
            size_t inputs, weights, bias, slope;
            text >> n.op >> inputs;
            n.inputs.resize(inputs);
            for (int &i : n.inputs) text >> i;
            text >> n.in >> n.out >> n.kernel >> n.stride >> n.groups >> n.above >> n.below >> n.left >> n.right;
            text >> n.grow >> n.edge >> n.act >> n.least >> n.most >> n.factor >> weights >> bias >> slope;
            n.weights.resize(weights);
            n.bias.resize(bias);
            n.slope.resize(slope);
        }
        text.get();  // the end of the last line
        for (Node &n : nodes)
            for (std::vector<float> *list : {&n.weights, &n.bias, &n.slope})
                text.read(reinterpret_cast<char *>(list->data()), list->size() * sizeof(float));
        if (!text) throw std::runtime_error("the description of the network ends early");
    }

    // edges copies planes of w x h values with their border repeated as a
    // convolution wants it.
    static void edges(float *into, const float *from, int planes, int w, int h, const Node &n) {
        const int wide = n.left + w + n.right, high = n.above + h + n.below;
        for (int c = 0; c < planes; c++)
            for (int y = 0; y < high; y++) {
                const float *row = from + (size_t(c) * h + std::min(std::max(y - n.above, 0), h - 1)) * w;
                float *dst = into + (size_t(c) * high + y) * wide;
                std::fill(dst, dst + n.left, row[0]);
                std::copy(row, row + w, dst + n.left);
                std::fill(dst + n.left + w, dst + wide, row[w - 1]);
            }
    }

    // readers is how many nodes read node i; the outside reads the last one.
    int readers(int i) const {
        int n = i + 1 == int(nodes.size());
        for (const Node &m : nodes)
            for (int j : m.inputs) n += j == i;
        return n;
    }
};

// convolved replaces transposed convolutions by the convolution and pixel shuffle
// that compute the same: the rows of the output that leave the same rest when
// divided by the stride read the same rows of the filter.
inline Graph convolved(const Graph &g) {
    Graph out = g;
    out.nodes.clear();
    std::vector<int> at;  // where each node went
    for (const Node &n : g.nodes) {
        Node m = n;
        for (int &i : m.inputs) i = i < 0 ? i : at[i];
        if (n.op == "deconv") {
            const int s = n.stride, k = n.kernel, p = n.above;
            if (n.groups != 1 || n.left != p || n.right != n.below || k - s - p - n.below + n.grow != 0)
                throw std::runtime_error("a transposed convolution that does not multiply the size");
            // Output row s*y + r reads input row y - d by filter row s*d + r + p.
            const int far = (k - 1 - p) / s, near = -((p + s - 1) / s), side = far - near + 1;
            m.op = "conv";
            m.out = n.out * s * s;
            m.kernel = side;
            m.stride = 1;
            m.above = m.left = far;
            m.below = m.right = -near;
            m.grow = 0;
            m.weights.assign(size_t(m.out) * n.in * side * side, 0);
            m.bias.clear();
            for (int o = 0; o < m.out; o++) {
                const int c = o / (s * s), r = o / s % s, q = o % s;
                if (!n.bias.empty()) m.bias.push_back(n.bias[c]);
                for (int i = 0; i < n.in; i++)
                    for (int y = 0; y < side; y++)
                        for (int x = 0; x < side; x++) {
                            const int fy = s * (far - y) + r + p, fx = s * (far - x) + q + p;
                            if (fy >= 0 && fy < k && fx >= 0 && fx < k)
                                m.weights[((size_t(o) * n.in + i) * side + y) * side + x] = n.weights[((size_t(i) * n.out + c) * k + fy) * k + fx];
                        }
            }
            out.nodes.push_back(m);
            m = n;
            m.op = "shuffle";
            m.inputs = {int(out.nodes.size()) - 1};
            m.in = n.out * s * s;
            m.factor = s;
            m.weights.clear();
            m.bias.clear();
        }
        at.push_back(int(out.nodes.size()));
        out.nodes.push_back(m);
    }
    return out;
}

// Session is a network that is ready to run on one picture.
struct Session {
    virtual ~Session() = default;
    virtual void run() = 0;
    virtual std::vector<float> output() = 0;  // planar
};

// A maker gets the picture's values, planar, and its size.
using Maker = std::function<std::unique_ptr<Session>(const Graph &, const std::vector<float> &picture, int w, int h)>;

// serve obeys until the end of the input.
inline int serve(const std::string &name, const Maker &make) {
    std::map<std::string, std::unique_ptr<Session>> sessions;
    FILE *out = fdopen(dup(1), "w");  // libraries may talk on stdout; nobody listens there
    if (!out || !freopen("/dev/null", "w", stdout)) return 1;
    auto answer = [out](const std::string &text) {
        fprintf(out, "%s\n", text.c_str());
        fflush(out);
    };
    answer("ready " + name);
    char *line = nullptr;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        std::istringstream words(line);
        std::string verb, id;
        words >> verb >> id;
        try {
            if (verb == "load") {
                size_t bytes, count;
                int w, h;
                words >> bytes >> count >> w >> h;
                std::string data(bytes, 0);
                std::vector<float> picture(count);
                if (fread(&data[0], 1, bytes, stdin) != bytes || fread(picture.data(), sizeof(float), count, stdin) != count)
                    return 1;
                sessions[id] = make(Graph(data), picture, w, h);
                sessions[id]->run();
                answer("ok");
            } else if (verb == "run") {
                double warm, group, spent = 0;
                size_t least;
                words >> warm >> group >> least;
                Session &s = *sessions.at(id);
                auto frame = [&] {
                    auto begin = std::chrono::steady_clock::now();
                    s.run();
                    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
                };
                do spent += frame();
                while (spent < warm);
                std::ostringstream times;
                times << "ok" << std::fixed;
                spent = 0;
                for (size_t n = 0; n < least || spent < group; n++) {
                    double ms = frame();
                    spent += ms;
                    times << ' ' << ms;
                }
                answer(times.str());
            } else if (verb == "output") {
                std::vector<float> values = sessions.at(id)->output();
                fprintf(out, "ok %zu\n", values.size());
                fwrite(values.data(), sizeof(float), values.size(), out);
                fflush(out);
            } else if (verb == "drop") {
                sessions.erase(id);
                answer("ok");
            } else {
                answer("error unknown command " + verb);
            }
        } catch (const std::exception &e) {
            answer(std::string("error ") + e.what());
        }
    }
    free(line);
    return 0;
}

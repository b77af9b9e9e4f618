"""Trains a line from Python by ctypes and asks it for points: python3 linear.py ./liblinear.so
To build the library, in this folder:
  lamella emit ../../specs/linear.lam -o model
  cc -O2 -fPIC -shared model/linear.c model/lamella.c -o liblinear.so -lm
"""
import ctypes
import random
import sys

if len(sys.argv) != 2:
    sys.exit("usage: python3 linear.py ./liblinear.so")
library = ctypes.CDLL(sys.argv[1])
library.linear_create.restype = ctypes.c_void_p
library.linear_message.restype = ctypes.c_char_p


class Tensor(ctypes.Structure):
    """struct linear_array of linear.h"""
    _fields_ = [("name", ctypes.c_char_p), ("axes", ctypes.c_char_p), ("type", ctypes.c_int), ("rank", ctypes.c_int),
                ("shape", ctypes.c_int64 * 8), ("count", ctypes.c_int64), ("data", ctypes.POINTER(ctypes.c_float))]


model = ctypes.c_void_p(library.linear_create())
if not model:
    sys.exit("linear.py: not enough memory, or a processor without the target's instructions")


def check(status):
    if status != 0:
        sys.exit("linear.py: " + library.linear_message(model).decode())


def port(name):
    found = Tensor()
    check(library.linear_port(model, name.encode(), ctypes.byref(found)))
    return found


def parameter(name):
    found = Tensor()
    check(library.linear_tensor(model, name.encode(), ctypes.byref(found)))
    return found.data[0]


check(library.linear_initialize(model, ctypes.c_uint32(1)))
x, y, loss = port("train.x"), port("train.y"), port("train.loss")
for step in range(1, 501):
    for row in range(x.count):
        x.data[row] = random.gauss(0, 1)
        y.data[row] = 2 * x.data[row] + 1
    check(library.linear_train(model, ctypes.c_int64(step)))
    if step % 100 == 0:
        print(f"step {step}: loss {loss.data[0]:.6f}")
print(f"slope {parameter('slope'):.3f}, intercept {parameter('intercept'):.3f}")

asked, told = port("predict.x"), port("predict.y")
asked.data[0] = 3
check(library.linear_predict(model))
print(f"at 3: {told.data[0]:.3f}")
library.linear_destroy(model)

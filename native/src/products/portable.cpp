// Products for any CPU of the target.
#include "finish.h"
#include "row_products.h"

namespace tundish {

extern constinit const ProductTable portable_products = {"portable", split, multiply, finish};

}  // namespace tundish

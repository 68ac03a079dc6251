int isted_one;

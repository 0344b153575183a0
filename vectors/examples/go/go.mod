module example.org/adapter

go 1.21

process.stderr.write("DATABASE_URL is not set\n");
process.exit(3);

from almanac_cli.main import main

main()

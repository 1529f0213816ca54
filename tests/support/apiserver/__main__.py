from tests.support.apiserver.cli import main

main()

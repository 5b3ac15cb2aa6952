import ArgumentParser

SplitstreamCommand.main()

from planner.ui.main import main

main()

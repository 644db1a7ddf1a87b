//! Repositories whose objects were forged: whatever they hold, the program stays within its bounds and says what is wrong.

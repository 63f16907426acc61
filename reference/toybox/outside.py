"""What people ask outside Toybox' world, and its one graceful answer; and small talk about itself.

Questions are drawn from templates and words, so there are many thousands. The held-out ones have other
words and other templates, and no model is trained on them.
"""

from random import Random

FALLBACK = "I only know shapes, colours, letters and digits."

CHAT = (
    (("Who are you?", "What are you?", "What is your name?", "What's your name?", "Introduce yourself.", "Are you a robot?",
      "Tell me your name.", "Who am I talking to?", "Are you a person?", "Are you an AI?", "Tell me about yourself.", "Do you have a name?"),
     "I am Toybox, a small model that watches toy scenes."),
    (("What can you do?", "What do you know?", "Help", "Help me.", "What can I ask?", "What can I ask you?", "How does this work?",
      "What should I ask you?", "What are you good at?", "What do you understand?", "How can you help me?", "What questions can I ask?"),
     "Ask me about shapes, colours, letters and digits, now or earlier."),
    (("Hello", "Hello!", "Hi", "Hi there!", "Hey", "Good morning", "Good evening!", "Hello there", "Hello Toybox!", "Hey you", "Good day", "Hi Toybox"),
     "Hello! Ask me what I see."),
    (("Thank you", "Thanks!", "Thank you very much.", "Thanks a lot", "Great, thanks!", "Thank you so much!", "Ok thanks", "Very good",
      "Well done!", "Good job!", "Nice!", "That is right."), "You are welcome."),
    (("How are you?", "How are you doing?", "How do you do?", "Are you well?", "How do you feel?", "Are you ok?", "How is it going?"),
     "I am well, and I am watching."),
    (("Goodbye", "Bye", "See you later!", "Bye bye!", "Good night", "See you", "Goodbye Toybox", "Until tomorrow", "I have to go."), "Goodbye!"),
)

UNSEEN_CHAT = (
    (("Do you have a name, and what is it?", "Please introduce yourself to me.", "What kind of model are you?"), CHAT[0][1]),
    (("Which questions do you understand?", "What can you tell me?", "I need help."), CHAT[1][1]),
    (("Good afternoon!", "Hi you"), CHAT[2][1]),
    (("Many thanks!", "Thank you, Toybox."), CHAT[3][1]),
    (("How are you today?",), CHAT[4][1]),
    (("Bye for now!", "See you soon"), CHAT[5][1]),
)

THINGS = tuple("""dog cat car house tree bird horse cow mouse fish table chair cup bottle book phone computer window door lamp
bed sofa shoe hat shirt coat bag key clock apple banana bread cake pizza egg flower bike bus train plane boat truck man woman
child baby boy girl face hand foot nose eye mouth person sun moon cloud mountain river street wall floor roof garden ball doll
robot camera screen keyboard pen pencil paper knife fork spoon plate bowl glass box toy rabbit elephant lion bear monkey duck
bee spider snake pink brown grey diamond oval hexagon rectangle pentagon cube cylinder arrow""".split())
UNSEEN_THINGS = tuple("""sheep pig tiger frog tomato carrot juice umbrella guitar piano mirror carpet bridge lake forest
scooter helicopter teacher doctor finger ear sock glove watch ring basket candle blanket towel bucket ladder hammer octagon
pyramid silver gold""".split())

ABOUT_THINGS = ("Is there a {x}?", "Do you see a {x}?", "Can you see the {x}?", "Where is the {x}?", "Where is my {x}?", "What colour is the {x}?",
                "What colour is my {x}?", "How many {x}s are there?", "How many {x}s do you see?", "Did you see a {x} earlier?", "Have you seen my {x}?",
                "Is the {x} moving?", "What is the {x} doing?", "Who has the {x}?", "How big is the {x}?", "Is that a {x}?", "What is a {x}?",
                "Is the {x} open?", "Was there a {x}?", "When did you see the {x}?", "Does the {x} look old?", "Tell me about the {x}.",
                "How much is the {x}?", "What came before the {x}?", "I like the {x}.", "Give me the {x}.", "Draw a {x}.")
UNSEEN_ABOUT_THINGS = ("Can you find the {x}?", "Is your {x} nice?", "What did the {x} do?", "Which {x} is the best?", "Why is there a {x}?",
                       "Did the {x} fall down?", "What is the {x} made of?")

OTHER = tuple("""What is the weather?|What's the weather like?|How is the weather today?|Is it raining?|Will it snow tomorrow?|How warm is it?
Who is the president?|What is the capital of France?|Which country is the largest?|Who won the war?|Who wrote Hamlet?|When was Rome built?
What time is it?|What day is it today?|Which year is it?|What is the date?|When is Easter?|How late is it?
What is two plus two?|What is 3 times 4?|How much is 12 minus 5?|What is the square root of 9?|Solve 2x = 4.|What is 10 percent of 50?
Tell me a joke.|Write a poem.|Sing a song.|Tell me a story.|Write an email.|Write a program.|Play music|Make me a sandwich.
Translate this into German.|How do you say hello in French?|Sprichst du Deutsch?|Was siehst du?|Que vois-tu?|Hola|Bonjour|Wo ist der Stern?
Do you love me?|Why?|Why not?|How?|Are you happy?|Are you sad?|What do you think?|Do you like music?|Are you hungry?|Can you fly?|Do you sleep?
Who is that?|What am I holding?|What am I wearing?|Where am I?|How old am I?|Who am I?|Do you know me?|Am I pretty?|What did I say?
Who made you?|How old are you?|Where do you live?|What do you hear?|Do you hear music?|What is that noise?|Can you hear me?|How does it smell?
Read the sign.|What does the book say?|What is written there?|Read the text.|What is the word?|Spell my name.|What does the sign say?
Explain gravity.|What is love?|What is the meaning of life?|Is there a god?|What is money?|How does a computer work?|Why is the sky blue?
What's up with the stock market?|Buy milk|Call my mother.|Open the window.|Turn on the light.|Set a timer.|Send a message.|Stop|Start|Go away.
asdf|xyz|test|bla bla|Ok|yes|no|Hmm|hello world how far is the moon|42|foo bar|...|qwerty|aaaa|lorem ipsum|123456|hjkl|?|!!|abc def ghi
Tell me something.|Say something.|Talk to me.|I am bored.|I am hungry.|I am tired.|My name is Anna.|You are wrong.|That is not true.|Nonsense
Is it day or night?|Is it dark?|Is the door open?|How far is it?|How tall is it?|How heavy is it?|What does it cost?|Is it safe?|Who is there?
How many people are there?|How many cars did you see?|How many fingers am I holding up?|Is anybody there?|Did somebody come in?|Is this a room?
What will happen next?|What comes next?|Will it move?|What should I do?|Where should I go?|What would you do?|Is this good or bad?""".replace("\n", "|").split("|"))
UNSEEN_OTHER = tuple("""Is it cold outside?|Who is the king of England?|What is the capital of Japan?|How much is 7 plus 8?|What month is it?
Tell me a riddle.|Write a letter to my boss.|Was ist das?|Do you dream?|Do you speak Spanish?|What am I doing?|Where were you born?|What does it say on the wall?
Explain the internet.|What is time?|Close the curtain.|Order a taxi.|zxcv|blub|I am happy.|You are funny.|Is it late?|How fast is it?|Who came in?
What happens tomorrow?|Which film is the best?|How do I cook rice?|Who is your father?|Can you dance?|What is in the news?""".replace("\n", "|").split("|"))


def outside(rng: Random, unseen: bool = False) -> tuple[str, str]:
    """A text that is no question about toys, and what to say to it."""
    if rng.random() < 0.3:
        wordings, answer = rng.choice(UNSEEN_CHAT if unseen else CHAT)
        return rng.choice(wordings), answer
    if rng.random() < 0.5:
        template = rng.choice(UNSEEN_ABOUT_THINGS if unseen else ABOUT_THINGS)
        text = template.format(x=rng.choice(UNSEEN_THINGS if unseen else THINGS))
        return text, FALLBACK
    return rng.choice(UNSEEN_OTHER if unseen else OTHER), FALLBACK
